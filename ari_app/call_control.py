"""CallControl for Asterisk: the port's words in, ARI requests and events out.

The application's wiring creates one per Asterisk and hands it to call_runner. Bridges, channels and REST end here.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from ari_app.ami import AmiClient, AmiEvent
from ari_app.asterisk_info import AsteriskInfo
from ari_app.backoff import Backoff
from ari_app.bridges import LegBridges
from ari_app.claims import Claims
from ari_app.connection import FIRST_RETAKE_S, LOGIN_CHECK_S, LONGEST_RETAKE_S, EventConnection
from ari_app.dead_man import DEAD_MAN_S, DeadManTimer
from ari_app.errors import AriRefused
from ari_app.event_queue import EventQueue
from ari_app.events import AriEvent, Channel, ChannelHangupRequest, StasisEnd, StasisStart
from ari_app.hand_over import RETRY_WAITS_S, HandOver
from ari_app.legs import LegBook
from ari_app.media_legs import MediaLegs, is_media_leg
from ari_app.moves import Moves
from ari_app.orphans import Orphans
from ari_app.queue_events import EVENTS as QUEUE_EVENTS
from ari_app.queue_events import QueueEvents
from ari_app.rest import DEADLINE_S, AriRest, Bridge
from ari_app.taken_legs import TakenLegs
from ari_app.transfers import NOWHERE, TRANSFER_CONTEXT, Transfers, is_safe
from ari_app.validation import (
    caller_id_of,
    checked_application,
    checked_destination,
    checked_place,
    checked_sip_uri,
    joined_arguments,
)
from parley.call_control import (
    AudioTarget,
    CallControlError,
    CallEvent,
    CallId,
    ConnectAudio,
    ControlTaken,
    Direction,
    HangupCause,
    InvalidRequest,
    Leg,
    LegAnswered,
    LegEnded,
    LegGone,
    LegId,
    LegLeft,
    LegOffered,
    LegReplaced,
    LegState,
    OriginateRequest,
    PbxConnected,
    PbxLost,
    PbxRefused,
    PbxUnavailable,
    SipTarget,
    TransferTarget,
)
from parley.call_control.validation import checked_digits, checked_variables

logger = logging.getLogger(__name__)

_FIRST_WITH_CAUSE_NUMBERS = 18


@dataclass(frozen=True, slots=True)
class EventCounts:
    """How many events there were."""

    received: int
    """From Asterisk; most concern nobody."""
    malformed: int
    """Skipped because they could not be read."""
    dropped: int
    """Call events lost because they were not consumed in time."""


class AriCallControl:
    """The legs that one Asterisk hands to the Stasis application `application`.

    dead_man_s: how long a call outlives us in silence before Asterisk takes it back (extension T); 0 switches the
    timer off. retry_waits_s: before further attempts to send a leg away. retake: waits before the application's name is
    taken back from another client. ami: of the same Asterisk, run by its owner; with it, `events()` tells what becomes
    of legs in queues. tls: how to check the certificate of an `https` address, None for the system's way.
    transfers_by_us: whether Asterisk leaves transfers that phones ask for to us; None where its version is safe for
    that. login_check_s: between two looks whether Asterisk still lets us in. Log in with `start()`, close with
    `aclose()`.
    """

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        application: str = "parley",
        *,
        deadline_s: float = DEADLINE_S,
        dead_man_s: float = DEAD_MAN_S,
        retry_waits_s: Sequence[float] = RETRY_WAITS_S,
        backoff: Backoff | None = None,
        retake: Backoff | None = None,
        ami: AmiClient | None = None,
        tls: ssl.SSLContext | None = None,
        transfers_by_us: bool | None = None,
        login_check_s: float = LOGIN_CHECK_S,
    ) -> None:
        self._application = checked_application(application)
        self._rest = AriRest(url, username, password, deadline_s, tls)
        self._book = LegBook()
        self._orphans = Orphans(application, self._book)
        self._events = EventQueue()
        self._media_legs = MediaLegs(self._rest, application, self._spawn, deadline_s)
        self._bridges = LegBridges(self._rest, application, self._media_legs, self._spawn)
        self._dead_man = DeadManTimer(self._rest, dead_man_s, self._book)
        self._moves = Moves(
            *(self._rest, application, self._book, self._bridges, self._dead_man),
            spawn=self._spawn,
            tell=self._publish,
            take=self._take,
            deadline_s=deadline_s,
        )
        self._transfers = Transfers(
            *(self._rest, application, self._book, self._moves), spawn=self._spawn, tell=self._publish
        )
        self._claims = Claims(self._book, self._moves, self._dead_man, self._spawn)
        self._taken_legs = TakenLegs(self._rest, application, dead_man_s)
        self._hand_over = HandOver(
            *(self._rest, self._book, self._dead_man, self._transfers), self._spawn, retry_waits_s
        )
        self._connection = EventConnection(
            self._rest,
            application,
            on_connected=self._connected,
            on_event=self._take,
            on_replaced=self._replaced,
            on_lost=self._lost,
            backoff=backoff or Backoff(),
            retake=retake or Backoff(FIRST_RETAKE_S, LONGEST_RETAKE_S),
            login_check_s=login_check_s,
        )
        self._queue_events = QueueEvents()
        if ami is not None:
            ami.listen(QUEUE_EVENTS, self._take_ami)
        self._cause_as_number = True
        self._transfers_by_us = transfers_by_us
        self._tasks: asyncio.TaskGroup | None = None
        self._runner: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"AriCallControl({self._rest!r}, {self._application!r})"

    async def start(self) -> None:
        """Connect, and keep the connection from now on.

        Raises PbxUnavailable when Asterisk cannot be reached, or has not loaded ARI (AriNotLoaded: it may be booting),
        and PbxRefused when it does not let us in; the message says what to fix. Then `start` may be called again.
        """
        if self._runner is not None:
            raise InvalidRequest("the ARI adapter has been started before")
        ready = asyncio.get_running_loop().create_future()
        self._runner = asyncio.create_task(self._run(ready), name=f"ari:{self._application}")
        try:
            await ready
        except BaseException:
            await self._stop()
            raise
        self._runner.add_done_callback(self._stopped)

    def events(self) -> AsyncIterator[CallEvent]:
        """Yield call events until the adapter is closed; raises only if the adapter itself has failed."""
        return aiter(self._events)

    def event_counts(self) -> EventCounts:
        """Return what became of Asterisk's events so far."""
        return EventCounts(self._connection.received, self._connection.malformed, self._events.dropped)

    async def legs(self) -> list[Leg]:
        """Ask Asterisk which legs are ours, put the book in order, and return it."""
        self._require_started()
        await self._reconcile()
        return self._book.legs()

    async def claim(self, leg_id: LegId) -> None:
        """Renew the leg's dead-man timer now, and from now on."""
        async with self._about(leg_id) as leg:
            await self._dead_man.arm(leg.id)

    async def originate(self, request: OriginateRequest) -> LegId:
        """Call somebody; the leg's id is ours to choose, so its events cannot come too early for us."""
        self._require_started()
        endpoint = checked_destination(request)
        options = {
            "appArgs": joined_arguments(request.arguments),
            "callerId": caller_id_of(request),
            "timeout": request.timeout_s,
            "variables": {TRANSFER_CONTEXT: NOWHERE, **checked_variables(request.variables)},
        }
        leg_id = LegId(self._orphans.leg_prefix + secrets.token_hex(8))
        self._book.expect(_leg_to_originate(leg_id, request))
        try:
            await self._rest.originate(leg_id, self._application, endpoint, **options)
        except AriRefused as err:
            self._book.forget(leg_id)
            raise PbxRefused(
                f"Asterisk cannot call this destination (HTTP {err.status}): is the endpoint in pjsip.conf, is its "
                "phone or trunk registered or given a contact, and is the channel driver loaded?"
            ) from err
        except BaseException:
            self._book.forget(leg_id)
            self._spawn(self._hang_up_quietly(leg_id))
            raise
        return leg_id

    async def ring(self, leg_id: LegId) -> None:
        """Let the caller hear ringing."""
        async with self._about(leg_id) as leg:
            await self._rest.ring(leg.id)

    async def answer(self, leg_id: LegId) -> None:
        """Answer, unless the leg is answered already."""
        async with self._about(leg_id) as leg:
            if leg.state is not LegState.ANSWERED:
                await self._rest.answer(leg.id)

    async def attach_audio(self, leg_id: LegId, target: AudioTarget, connect: ConnectAudio) -> None:
        """Make a media leg and a bridge for the leg; both go with it."""
        async with self._about(leg_id) as leg:
            await self._bridges.attach(leg.id, target, connect)
        if self._book.resolve(leg.id) not in self._book:
            await self._bridges.release(leg.id)
            raise LegGone(f"leg {leg.id} ended while its audio was connected")

    async def audio_sent(self, leg_id: LegId) -> int | None:
        """Ask for the party's RTP statistics; parties without RTP have none."""
        self._require_started()
        return await self._rest.rtp_packets_sent(self._book.resolve(leg_id))

    async def send_dtmf(self, leg_id: LegId, digits: str) -> None:
        """Send keys; Asterisk plays them one after the other."""
        checked_digits(digits)
        async with self._about(leg_id) as leg:
            await self._rest.send_dtmf(leg.id, digits)

    async def hold(self, leg_id: LegId, music: bool) -> None:
        """Start or stop Asterisk's default music class; while it plays, the leg hears nothing else."""
        async with self._about(leg_id) as leg:
            await (self._rest.start_music(leg.id) if music else self._rest.stop_music(leg.id))

    async def join(self, leg_id: LegId, other_id: LegId) -> None:
        """Put both legs, and their media legs, into one bridge."""
        _require_two(leg_id, other_id)
        async with self._about(leg_id) as leg, self._about(other_id) as other:
            await self._bridges.join(leg.id, other.id)

    async def part(self, leg_id: LegId, other_id: LegId) -> None:
        """Give the other leg a bridge of its own again."""
        _require_two(leg_id, other_id)
        async with self._about(leg_id) as leg, self._about(other_id) as other:
            await self._bridges.part(leg.id, other.id)

    async def transfer(self, leg_id: LegId, target: TransferTarget) -> None:
        """Send the leg to a place in the dialplan (LegLeft), or ask its phone to call a SIP address (LegEnded)."""
        if isinstance(target, SipTarget):
            endpoint = f"PJSIP/{checked_sip_uri(target)}"
            async with self._about(leg_id) as leg:
                await self._hand_over.redirect(leg.id, endpoint)
            return
        place = checked_place(target)
        to: dict[str, str | int] = {"context": place.context, "extension": place.extension, "priority": place.priority}
        async with self._about(leg_id) as leg:
            await self._hand_over.let_go(leg.id, {}, to)
        self._tell_end_unless_told(leg.id, [StasisEnd(leg.id)])

    async def continue_in_dialplan(self, leg_id: LegId, variables: Mapping[str, str]) -> None:
        """Set the variables, then let the dialplan go on behind Stasis()."""
        checked = checked_variables(variables)
        async with self._about(leg_id) as leg:
            await self._hand_over.let_go(leg.id, checked, {})
        self._tell_end_unless_told(leg.id, [StasisEnd(leg.id)])

    async def hangup(
        self,
        leg_id: LegId,
        cause: HangupCause = HangupCause.NORMAL_CLEARING,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Set the variables for extension `h`, then end the leg; the cause reaches the party's phone."""
        checked = checked_variables(variables or {})
        async with self._about(leg_id) as leg:
            await self._hand_over.hang_up(leg.id, cause, checked, self._cause_as_number)
        hung_up = ChannelHangupRequest(leg.id, cause=None, soft=True, tech_cause=None)
        self._tell_end_unless_told(leg.id, [hung_up, StasisEnd(leg.id)])

    async def aclose(self) -> None:
        """Close the connection and end `events()`; may be called twice.

        Legs stay as they are; those that nobody takes over are taken back by their dead-man timers.
        """
        await self._stop()
        await self._dead_man.aclose()
        await self._rest.aclose()
        self._events.close()

    # The connection and its events

    async def _run(self, ready: asyncio.Future[None]) -> None:
        """Own every task of this adapter."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                try:
                    await self._connection.open()
                except CallControlError as err:
                    ready.set_exception(err)
                    return
                ready.set_result(None)
                tasks.create_task(self._dead_man.run())
                await self._connection.run()
        finally:
            self._tasks = None
            if not ready.done():
                ready.set_exception(PbxUnavailable("the ARI adapter stopped while it was connecting"))

    def _stopped(self, runner: asyncio.Task[None]) -> None:
        failure = None if runner.cancelled() else runner.exception()
        if failure is not None:
            logger.error("the ARI adapter failed", exc_info=failure)
            self._events.close(failure)

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        self._tasks = None
        if runner is not None:
            runner.cancel()
            await asyncio.wait([runner])
        await self._connection.aclose()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work in the background; without a running adapter it is dropped, and the next start sweeps."""
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(work)

    async def _connected(self, info: AsteriskInfo) -> None:
        """Put everything in order after (re)connecting, before the first event is read."""
        self._cause_as_number = info.major == 0 or info.major >= _FIRST_WITH_CAUSE_NUMBERS
        self._hand_over.variables_together = info.sets_variables_together
        self._transfers.wanted = is_safe(info) if self._transfers_by_us is None else self._transfers_by_us
        if self._transfers.wanted and not is_safe(info):
            logger.warning(
                "transfers are left to us, and callers can end this Asterisk by one", extra={"version": info.version}
            )
        self._transfers.forget()
        channels = await self._reconcile()
        self._moves.found(channels)
        own_media = [channel.id for channel in channels if self._media_legs.is_own(channel.id)]
        self._transfers.found(channels)
        bridges = await self._bridges.sweep([leg.id for leg in self._book.legs()], own_media)
        self._sweep_legs(channels, bridges)
        self._events.put(PbxConnected(info.version))

    def _take(self, event: AriEvent) -> None:
        """Take one ARI event; called by the reader, so it must not wait."""
        self._media_legs.apply(event)
        if isinstance(event, StasisStart) and is_media_leg(event.channel.id):
            return
        if self._moves.doubts(event) or self._transfers.take(event):
            return
        claimed = {leg_id for leg_id in _leaving(event) if self._book.is_claimed(leg_id)}
        self._publish(self._book.apply(event), claimed)
        self._moves.apply(event)
        if isinstance(event, StasisStart):
            self._spawn(self._dead_man.arm_offer(LegId(event.channel.id)))
            self._spawn(self._transfers.take_over_offer(event.channel))

    def _take_ami(self, event: AmiEvent) -> None:
        """Take one AMI event; called by the reader, so it must not wait."""
        for told in self._queue_events.apply(event, time.monotonic()):
            self._events.put(told)

    def _lost(self, reason: str) -> None:
        self._events.put(PbxLost(reason))

    def _replaced(self, reason: str) -> None:
        """Somebody else is told about our legs, and may be moving them: their timers are renewed no more."""
        self._book.release_all()
        self._events.put(ControlTaken(reason, frozenset(leg.id for leg in self._book.legs())))

    def _tell_end_unless_told(self, leg_id: LegId, events: list[AriEvent]) -> None:
        """Take a leg that we have sent away for gone when no event will say so."""
        if leg_id in self._book and not self._connection.is_open:
            self._orphans.note_sent_away(leg_id)
            for event in events:
                self._take(event)

    def _publish(self, events: list[CallEvent], claimed: Collection[LegId] = ()) -> None:
        """Tell what happened. claimed: those that were, before it happened: if one has left, somebody else took it."""
        for event in events:
            self._follow_into_queues(event)
            if isinstance(event, LegEnded | LegLeft):
                self._spawn(self._bridges.release(event.leg_id))
            if isinstance(event, LegLeft) and event.leg_id in claimed and event.leg_id not in self._book:
                self._spawn(self._taken_legs.stop_timer(event.leg_id))
            if isinstance(event, LegReplaced):
                self._moves.begin(event.leg_id, event.leg.id)
            if not self._events.put(event) and isinstance(event, LegOffered):
                # Nobody will take care of this caller; extension T will.
                self._book.release(event.leg.id)
                self._dead_man.give_up(event.leg.id)

    def _follow_into_queues(self, event: CallEvent) -> None:
        """Remember legs from the offer on: AMI may tell that one has joined a queue before ARI says that it left."""
        match event:
            case LegOffered(leg) | LegAnswered(leg) | LegReplaced(leg=leg):
                self._queue_events.follow(leg.id, leg.call_id, time.monotonic())
            case LegLeft(leg_id):
                self._queue_events.follow(leg_id, CallId(leg_id), time.monotonic())
            case LegEnded(leg_id):
                self._queue_events.forget(leg_id)
            case _:
                pass

    async def _reconcile(self) -> list[Channel]:
        """Compare the book with Asterisk; return all channels."""
        known_before, claimed = [leg.id for leg in self._book.legs()], self._book.claimed()
        subscribed = await self._rest.application_channels(self._application)
        channels = await self._rest.channels()
        ours = [channel for channel in channels if channel.id in subscribed and self._is_party(channel)]
        self._publish(self._book.reconcile(ours, {channel.id for channel in channels}, known_before), claimed)
        self._moves.catch_up()
        return channels

    def _sweep_legs(self, channels: Collection[Channel], bridges: Iterable[Bridge]) -> None:
        """Hang up whom an earlier process of ours was calling, or had called: nobody would talk with them."""
        left = [LegId(channel.id) for channel in channels if self._transfers.was_left(channel)]
        for leg_id in self._orphans.among(channels, bridges) + left:
            logger.info("orphaned leg hung up", extra={"leg_id": leg_id})
            self._spawn(self._hang_up_quietly(leg_id))

    def _is_party(self, channel: Channel) -> bool:
        """Tell a party's channel in our hands from media legs, far ends of Local channels and legs that have left."""
        if is_media_leg(channel.id):
            return False
        return channel.is_held_by(self._application) or LegId(channel.id) in self._book

    # Commands

    def _about(self, leg_id: LegId) -> AbstractAsyncContextManager[Leg]:
        """Claim the leg that a command names; see `Claims.about`."""
        self._require_started()
        return self._claims.about(leg_id)

    def _require_started(self) -> None:
        if self._tasks is None:
            raise PbxUnavailable("the ARI adapter is not started, or closed")

    async def _hang_up_quietly(self, leg_id: LegId) -> None:
        """End a leg that was originated and that nobody has any more; it may never have been made."""
        try:
            await self._rest.hangup(leg_id)
        except CallControlError as err:
            logger.debug("leg not hung up", extra={"leg_id": leg_id, "code": err.code})


def _leaving(event: AriEvent) -> list[LegId]:
    """Return the leg that an event takes out of Stasis."""
    return [LegId(event.channel_id)] if isinstance(event, StasisEnd) else []


def _require_two(leg_id: LegId, other_id: LegId) -> None:
    if leg_id == other_id:
        raise InvalidRequest("a leg cannot be joined with itself")


def _leg_to_originate(leg_id: LegId, request: OriginateRequest) -> Leg:
    return Leg(
        id=leg_id,
        call_id=CallId(leg_id),
        direction=Direction.OUTBOUND,
        state=LegState.RINGING,
        ani=request.caller_id,
        ani_name=request.caller_name,
        dnis=request.destination,
        arguments=request.arguments,
        variables=dict(request.variables),
    )
