"""CallControl for callers in the dialplan application AudioSocket(): not in Stasis, so commanded by AMI.

The application's wiring makes one where the site has switched this way in on, and offers it the connections that come.
The dialplan goes on when the connection is closed: so a leg leaves by its connection, after its variables were set.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from ari_app.ami import AmiClient, AmiEvent
from ari_app.ami_channels import APPLICATION, AmiChannels, cause_of
from ari_app.dead_man import DEAD_MAN_S, DEADLINES_PER_LENGTH, RENEWALS_PER_LENGTH
from ari_app.event_queue import EventQueue
from ari_app.queue_events import EVENTS as QUEUE_EVENTS
from ari_app.queue_events import QueueEvents
from ari_app.validation import checked_channel_id, checked_place
from parley.call_control import (
    AudioCodec,
    AudioSocketPeer,
    AudioSocketTarget,
    AudioTarget,
    CallControlError,
    CallEvent,
    ConnectAudio,
    HangupCause,
    Leg,
    LegEnded,
    LegGone,
    LegHeld,
    LegId,
    LegLeft,
    LegOffered,
    LegRetrieved,
    OriginateRequest,
    PbxRefused,
    PbxUnavailable,
    SipTarget,
    TransferTarget,
)
from parley.call_control.validation import checked_digits, checked_variables

logger = logging.getLogger(__name__)

HANGUP_TOLD_WITHIN_S = 0.05
"""The connection of a caller who hangs up may be over this much before AMI says that he does."""
EVENTS = (*QUEUE_EVENTS, "SoftHangupRequest", "Hold", "Unhold")
"""What is read of AMI; all are of the classes `agent` and `call`."""

LetGo = Callable[[], None]
"""Closes a leg's connection."""


@dataclass(slots=True)
class _Entry:
    leg: Leg
    let_go: LetGo
    our_cause: HangupCause | None = None
    leaving: bool = False
    """Its timer was stopped: one that ran on would end the call in the middle of the dialplan."""
    disconnected: bool = False
    """Its connection is over: it may be elsewhere in the dialplan."""
    hanging_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody, the caller mostly, ends it."""


class AudioSocketCallControl:
    """The legs that the dialplan has connected with us by AudioSocket().

    Legs are channels that the dialplan has answered; what such a channel cannot do (music on hold, being joined with
    another) raises PbxRefused. Losing AMI is told by the Asterisk's other adapter, if by any.
    """

    def __init__(self, ami: AmiClient, *, dead_man_s: float = DEAD_MAN_S) -> None:
        """ami: run by its owner; its user needs `read = agent,call` and `write = call`.

        dead_man_s: how long a call outlives us in silence before Asterisk takes it to extension T; 0: for ever.
        """
        self._ami = ami
        self._channels = AmiChannels(ami, lambda leg_id: self._end(leg_id, HangupCause.UNKNOWN))
        self._dead_man_s = dead_man_s
        self._events = EventQueue()
        self._legs: dict[LegId, _Entry] = {}
        self._queue_events = QueueEvents()
        self._due_legs: set[LegId] = set()
        """Whose timers are to be started or renewed now."""
        self._due = asyncio.Event()
        ami.listen(EVENTS, self._take)
        ami.watch(self._ami_changed)

    async def run(self) -> NoReturn:
        """Start the dead-man timers of new legs, and renew all, at once when AMI is back; until cancelled.

        Legs whose connection is over are looked for instead.
        """
        loop = asyncio.get_running_loop()
        period_s = self._dead_man_s / RENEWALS_PER_LENGTH or 3600.0
        round_s = loop.time() + period_s
        async with asyncio.TaskGroup() as renewals:
            while True:
                self._due.clear()
                legs, self._due_legs = self._due_legs, set()
                for leg_id in legs if self._ami.connected else ():
                    renewals.create_task(self._renew(leg_id))
                try:
                    async with asyncio.timeout_at(round_s):
                        await self._due.wait()
                except TimeoutError:
                    self._due_legs.update(self._legs)
                    round_s = max(round_s + period_s, loop.time())

    async def offer(self, channel_id: str, connection_id: str, arguments: Sequence[str], let_go: LetGo) -> LegId:
        """Take a channel into our hands; LegOffered follows.

        channel_id: as the dialplan has named it to us. connection_id: which it has shown; that the channel is in
        AudioSocket() with this very id proves that the two belong together. let_go: closes the connection.
        Raises LegGone when the channel has ended, PbxRefused when it is not in AudioSocket() with this id, and
        PbxUnavailable when AMI cannot be asked or the event queue is full; `let_go` is not called then.
        """
        status = await self._channels.status(LegId(checked_channel_id(channel_id)))
        if not status.holds(connection_id):
            raise PbxRefused(f"the channel is not in {APPLICATION}() with the id that we have issued for it")
        leg = status.as_leg(tuple(arguments), connection_id)
        if not self._events.put(LegOffered(leg)):
            raise PbxUnavailable("call events are not consumed: nobody would serve the leg")
        self._legs[leg.id] = _Entry(leg, let_go)
        self._queue_events.follow(leg.id, leg.call_id, time.monotonic())
        self._due_legs.add(leg.id)
        self._due.set()
        return leg.id

    async def disconnected(self, leg_id: LegId) -> None:
        """Find out what becomes of a leg whose connection is over; LegLeft follows when it is elsewhere by now.

        The caller hangs up (then AMI tells), somebody has redirected him, or the network has cut the connection. To
        be called by whoever has the connection; a leg that has ended or left is no error.
        """
        entry = self._legs.get(leg_id)
        if entry is None:
            return
        entry.disconnected = True
        try:
            await self._still_here(leg_id)
        except CallControlError as err:
            logger.debug("a leg without a connection", extra={"leg_id": leg_id, "code": err.code})

    # The port

    def events(self) -> AsyncIterator[CallEvent]:
        """Yield call events until closed."""
        return aiter(self._events)

    async def legs(self) -> list[Leg]:
        """Return the legs in our hands."""
        return [entry.leg for entry in self._legs.values()]

    async def claim(self, leg_id: LegId) -> None:
        """Do nothing: no leg outlives the process that holds its connection, so all that are here are claimed."""
        self._entry(leg_id)

    async def originate(self, request: OriginateRequest) -> LegId:
        """Refuse: calls out are the other adapter's."""
        raise _impossible("call somebody")

    async def ring(self, leg_id: LegId) -> None:
        """Do nothing: the leg is answered."""
        self._entry(leg_id)

    async def answer(self, leg_id: LegId) -> None:
        """Do nothing: the leg is answered."""
        self._entry(leg_id)

    async def attach_audio(self, leg_id: LegId, target: AudioTarget, connect: ConnectAudio) -> None:
        """Begin with the connection that the leg has come with; it has no other."""
        leg = self._entry(leg_id).leg
        if not isinstance(target, AudioSocketTarget) or target.connection_id != leg.connection_id:
            raise PbxRefused(f"a leg in {APPLICATION}() has the audio connection that it came with, and no other")
        await connect(AudioSocketPeer(leg.connection_id, AudioCodec.SLIN))

    async def audio_sent(self, leg_id: LegId) -> int | None:
        """Tell nothing: the connection tells by itself when it is cut."""
        return None

    async def send_dtmf(self, leg_id: LegId, digits: str) -> None:
        """Send keys, one after the other (Asterisk needs app_senddtmf.so)."""
        entry = self._entry(leg_id)
        for digit in checked_digits(digits):
            await self._channels.send_key(entry.leg.id, digit)

    async def hold(self, leg_id: LegId, music: bool) -> None:
        """Refuse."""
        self._entry(leg_id)
        raise _impossible("hear music on hold")

    async def join(self, leg_id: LegId, other_id: LegId) -> None:
        """Refuse."""
        self._entry(leg_id)
        raise _impossible("be joined with another leg")

    async def part(self, leg_id: LegId, other_id: LegId) -> None:
        """Do nothing: no leg is joined with another."""
        self._entry(leg_id)

    async def transfer(self, leg_id: LegId, target: TransferTarget) -> None:
        """Send the leg to a place in the dialplan."""
        entry = await self._still_here(leg_id)
        if isinstance(target, SipTarget):
            raise _impossible("be sent to a SIP address")
        place = checked_place(target)
        try:
            await self._stop_timer(entry)
            await self._channels.redirect(leg_id, place.context, place.extension, place.priority)
        finally:
            self._leave(leg_id)

    async def continue_in_dialplan(self, leg_id: LegId, variables: Mapping[str, str]) -> None:
        """Set the variables, then close the connection: the dialplan goes on behind AudioSocket().

        Values end at 993 octets; PARLEY_STATUS is set last. The connection is closed also when the variables cannot
        be set: then the dialplan finds PARLEY_STATUS empty, and takes the caller to the site's fallback.
        """
        checked = checked_variables(variables)
        entry = await self._still_here(leg_id)
        try:
            await self._channels.set_variables(leg_id, checked)
            await self._stop_timer(entry)
        finally:
            self._leave(leg_id)

    async def hangup(
        self,
        leg_id: LegId,
        cause: HangupCause = HangupCause.NORMAL_CLEARING,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Set the variables, then end the leg with this cause; where that fails the dialplan goes on instead."""
        checked = checked_variables(variables or {})
        entry = await self._still_here(leg_id)
        try:
            await self._channels.set_variables(leg_id, checked)
            entry.our_cause = cause
            entry.hanging_up.set()
            await self._channels.hang_up(leg_id, cause)
        except BaseException:
            self._leave(leg_id)
            raise

    async def aclose(self) -> None:
        """End `events()` and let go of all legs; may be called twice."""
        for leg_id in list(self._legs):
            self._leave(leg_id)
        self._events.close()

    # Inside

    def _take(self, event: AmiEvent) -> None:
        """Take one AMI event; called by the reader, so it must not wait."""
        leg_id = LegId(event.get("Uniqueid"))
        entry = self._legs.get(leg_id)
        if entry is not None:
            if event.name == "Hangup":
                self._end(leg_id, cause_of(event.get("Cause")))
            elif event.name in ("HangupRequest", "SoftHangupRequest"):
                entry.hanging_up.set()
            elif event.name == "Hold":
                self._events.put(LegHeld(leg_id))
            elif event.name == "Unhold":
                self._events.put(LegRetrieved(leg_id))
        for told in self._queue_events.apply(event, time.monotonic()):
            self._events.put(told)

    def _ami_changed(self, connected: bool) -> None:
        if connected:
            self._due_legs.update(self._legs)
            self._due.set()

    def _end(self, leg_id: LegId, cause: HangupCause) -> None:
        """Strike out a leg whose channel is gone."""
        entry = self._legs.pop(leg_id, None)
        if entry is not None:
            entry.hanging_up.set()
            self._queue_events.forget(leg_id)
            entry.let_go()
            self._events.put(LegEnded(leg_id, entry.our_cause or cause))

    def _leave(self, leg_id: LegId) -> None:
        """Let go of a leg that is still there; nothing when its end was told meanwhile."""
        entry = self._legs.pop(leg_id, None)
        if entry is not None:
            self._queue_events.follow(leg_id, entry.leg.call_id, time.monotonic())
            self._events.put(LegLeft(leg_id))
            entry.let_go()

    async def _still_here(self, leg_id: LegId) -> _Entry:
        """Return a leg that may be commanded to go: one that somebody has taken elsewhere is not ours any more.

        Raises LegGone, and as AMI does when it cannot be asked.
        """
        entry = self._entry(leg_id)
        if not entry.disconnected or await _set_within(entry.hanging_up, HANGUP_TOLD_WITHIN_S):
            return self._entry(leg_id)
        status = await self._channels.status(leg_id)
        if not status.holds(entry.leg.connection_id) and self._legs.get(leg_id) is entry:
            logger.warning("somebody took a caller out of our hands", extra={"leg_id": leg_id})
            self._leave(leg_id)
            await self._stop_own_timer(entry)
        return self._entry(leg_id)

    async def _look_for(self, leg_id: LegId) -> None:
        """Let go of a leg that is elsewhere, and strike out one that is gone, whose hang-up had begun too.

        Raises as `_still_here`.
        """
        await self._still_here(leg_id)
        await self._channels.status(leg_id)

    async def _stop_own_timer(self, entry: _Entry) -> None:
        """Stop the timer of a leg that is elsewhere; a longer one is the site's own."""
        if 0 < await self._channels.timer_s(entry.leg.id) <= self._dead_man_s:
            await self._stop_timer(entry)

    async def _renew(self, leg_id: LegId) -> None:
        """Renew one leg's timer; a leg whose end was missed while AMI was away is found here.

        A leg without a connection may be anywhere in the dialplan, where our timer would end its call: it gets none.
        A renewal that stalls is given up before the next one is due.
        """
        entry = self._legs.get(leg_id)
        if entry is None or entry.leaving:
            return
        try:
            if entry.disconnected:
                await self._look_for(leg_id)
            elif self._dead_man_s:
                deadline_s = self._dead_man_s / DEADLINES_PER_LENGTH
                await self._channels.start_timer(leg_id, self._dead_man_s, deadline_s)
        except CallControlError as err:
            logger.debug("dead-man timer not renewed", extra={"leg_id": leg_id, "code": err.code})

    async def _stop_timer(self, entry: _Entry) -> None:
        entry.leaving = True
        await self._channels.stop_timer(entry.leg.id)

    def _entry(self, leg_id: LegId) -> _Entry:
        entry = self._legs.get(leg_id)
        if entry is None:
            raise LegGone("the leg has ended or left, or was never here")
        return entry


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event for so long; return whether it has come."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _impossible(what: str) -> PbxRefused:
    return PbxRefused(f"a leg in {APPLICATION}() cannot {what}: use Stasis() for such calls")
