"""The book of party legs: ARI events in, call events out. No I/O, no clock.

`call_control` feeds it; it decides when a leg is offered, answered, left or ended, and that it ends only once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from ari_app.events import (
    AriEvent,
    Channel,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    ChannelHold,
    ChannelStateChange,
    ChannelUnhold,
    StasisEnd,
    StasisStart,
)
from ari_app.repeated_keys import RepeatedKeys
from parley.call_control import (
    CallEvent,
    CallId,
    DigitReceived,
    Direction,
    HangupCause,
    Leg,
    LegAnswered,
    LegEnded,
    LegHeld,
    LegId,
    LegLeft,
    LegOffered,
    LegReplaced,
    LegRetrieved,
    LegRinging,
    LegState,
)

OWN_PREFIX = "parley-leg."
"""Begins the id of every leg that any Parley node originates; then follow the application and a random part."""
LINKED_ID = "CHANNEL(linkedid)"
"""Named in `channelvars` of ari.conf, it gives the call's id; without it a leg is a call of its own."""
DIALLED_NUMBER = "CALLERID(dnid)"
"""Named in `channelvars`, it gives the number that was dialled; without it a leg out of a subroutine has none."""

NATIVE_FORMATS = "CHANNEL(audionativeformat)"
"""What a channel carries, the codec in use first: `(g722|ulaw)`. Named in `channelvars`, it gives the party's own."""

_WIDEBAND = re.compile(
    r"\((g722|opus|slin(16|24|32|44|48|96|192)|silk(12|16|24)|speex(16|32)|siren(7|14)|amrwb|evs)[|)]"
)
_SIP_REQUEST_TERMINATED = 487


@dataclass(slots=True)
class _Entry:
    leg: Leg
    in_stasis: bool
    """False for a leg that we originated, until it answers."""
    claimed: bool = True
    """Somebody takes care of the leg. Not so when an earlier process left it, or when sending it away failed."""
    told: bool = True
    """False for a leg that an earlier process left: nobody here was offered it, or has commanded it yet."""
    timed: bool = True
    """The leg may carry our dead-man timer. Not so a new one until we have first asked for it."""
    rang: bool = False
    held: bool = False
    moving: bool = False
    """The leg has taken another's place and is not answered yet (a blind transfer), or not in that place yet."""
    away: bool = False
    """The leg goes once through the dialplan, by our own request."""
    found_in: str = ""
    """The context in which the leg was found to be back from there: the events that say so may still come."""
    our_cause: HangupCause | None = None
    """What `hangup` was asked for."""
    keys: RepeatedKeys = field(default_factory=RepeatedKeys)
    end_cause: HangupCause | None = None
    """Known once the end has been announced (ChannelHangupRequest)."""


class LegBook:
    """Every party leg in our hands, and those that we originated and that still ring."""

    def __init__(self) -> None:
        self._entries: dict[LegId, _Entry] = {}
        self._heirs: dict[LegId, LegId] = {}
        """Legs by those whose places they have taken."""

    def __contains__(self, leg_id: LegId) -> bool:
        return leg_id in self._entries

    def get(self, leg_id: LegId) -> Leg | None:
        """Return the leg, None when it is gone or was never here."""
        entry = self._entries.get(leg_id)
        return None if entry is None else entry.leg

    def resolve(self, leg_id: LegId) -> LegId:
        """Return the leg that has this one's place now; the leg itself when nobody has taken it."""
        return leg_id if leg_id in self._entries else self._heirs.get(leg_id, leg_id)

    def legs(self) -> list[Leg]:
        """Return all legs."""
        return [entry.leg for entry in self._entries.values()]

    def claimed(self) -> list[LegId]:
        """Return the legs in Stasis that somebody here takes care of; the others may run into their timers."""
        return [leg_id for leg_id, entry in self._entries.items() if entry.in_stasis and entry.claimed]

    def is_claimed(self, leg_id: LegId) -> bool:
        """Tell whether `claimed` holds the leg."""
        entry = self._entries.get(leg_id)
        return entry is not None and entry.in_stasis and entry.claimed

    def is_known(self, leg_id: LegId) -> bool:
        """Tell whether somebody here was told of the leg, or has made it; not so for one that is only found."""
        entry = self._entries.get(leg_id)
        return entry is not None and entry.told

    def may_be_timed(self, leg_id: LegId) -> bool:
        """Tell whether the leg may carry our timer; one that is not in the book may."""
        entry = self._entries.get(leg_id)
        return entry is None or entry.timed

    def note_timer(self, leg_id: LegId) -> None:
        """Note that the leg's timer is about to be started."""
        if leg_id in self._entries:
            self._entries[leg_id].timed = True

    def claim(self, leg_id: LegId) -> None:
        """Note that somebody takes care of the leg from now on."""
        entry = self._entries[leg_id]
        entry.claimed = entry.told = True

    def release(self, leg_id: LegId) -> None:
        """Note that nobody takes care of the leg any more; it may be gone already."""
        if leg_id in self._entries:
            self._entries[leg_id].claimed = False

    def release_all(self) -> None:
        """Note that nobody here takes care of any leg any more."""
        for entry in self._entries.values():
            entry.claimed = False

    def expect(self, leg: Leg) -> None:
        """Enter a leg that we are about to originate."""
        self._entries[leg.id] = _Entry(leg, in_stasis=False)

    def forget(self, leg_id: LegId) -> None:
        """Strike out a leg that could not be originated; no event follows."""
        self._entries.pop(leg_id, None)

    def note_hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        """Remember the cause that we give: Asterisk's own events do not repeat it."""
        if leg_id in self._entries:
            self._entries[leg_id].our_cause = cause

    def replace(self, old_id: LegId, channel: Channel) -> list[CallEvent]:
        """Put a channel in the place of a leg in the book, which is struck out; nothing more is told of that one."""
        old = self._entries.pop(old_id)
        leg = replace(
            old.leg,
            id=LegId(channel.id),
            state=LegState.ANSWERED if channel.state == "Up" else LegState.RINGING,
            ani=channel.caller_number,
            ani_name=channel.caller_name,
        )
        self._entries[leg.id] = _Entry(leg, in_stasis=True, claimed=old.claimed, told=old.told, moving=True)
        self._heirs = {earlier: leg.id if heir == old_id else heir for earlier, heir in self._heirs.items()}
        self._heirs[old_id] = leg.id
        return [LegReplaced(old_id, leg)]

    def send_through(self, leg_id: LegId, away: bool = True) -> None:
        """Note that the leg leaves Stasis and comes back, by our own request; or that it does not after all."""
        if leg_id in self._entries:
            self._entries[leg_id].away = away

    def found_back(self, channel: Channel) -> None:
        """Note that the leg is back from the dialplan, and that this was seen without an event."""
        entry = self._entries[LegId(channel.id)]
        entry.found_in = channel.context
        self._came_back(entry, channel)

    def doubts_end(self, leg_id: LegId) -> bool:
        """Tell whether a StasisEnd may be older than the leg's return that was seen without an event."""
        entry = self._entries.get(leg_id)
        return entry is not None and entry.found_in != "" and entry.end_cause is None

    def trust_end(self, leg_id: LegId) -> None:
        """Note that the leg's next StasisEnd is a true one."""
        if leg_id in self._entries:
            self._entries[leg_id].found_in = ""

    def stranded(self, leg_id: LegId) -> list[CallEvent]:
        """Note that the leg does not come back from the dialplan, if it is there."""
        entry = self._entries.get(leg_id)
        if entry is None or not entry.away:
            return []
        entry.away = False
        return self._stasis_ended(leg_id)

    def arrived(self, leg_id: LegId) -> list[CallEvent]:
        """Note that the leg is in the place that it has taken. One that still rings hears nobody until it answers."""
        entry = self._entries.get(leg_id)
        if entry is None:
            return []
        entry.moving = entry.leg.state is not LegState.ANSWERED
        return self._held(leg_id, True) if entry.moving else []

    def apply(self, event: AriEvent) -> list[CallEvent]:
        """Take one ARI event and return what it means, in order; an empty list for channels that are not legs."""
        events: list[CallEvent] = []
        match event:
            case StasisStart(channel, arguments, replaces):
                events = self._started(channel, arguments, LegId(replaces))
            case ChannelStateChange(channel):
                events = self._changed(channel)
            case ChannelHangupRequest():
                self._announce_end(event)
            case StasisEnd(channel_id):
                events = self._stasis_ended(LegId(channel_id))
            case ChannelDestroyed():
                events = self._destroyed(event)
            case ChannelDtmfReceived(channel_id) if channel_id in self._entries:
                events = self._pressed(event)
            case ChannelHold(channel_id) if channel_id in self._entries:
                events = self._held(LegId(channel_id), True)
            case ChannelUnhold(channel_id) if channel_id in self._entries:
                events = self._held(LegId(channel_id), False)
            case _:
                pass
        return events

    def reconcile(
        self, ours: Iterable[Channel], alive: Collection[str], known_before: Collection[LegId]
    ) -> list[CallEvent]:
        """Bring the book up to date after a time without events; return the events that were missed.

        ours: the party channels that the application holds. alive: the ids of all channels that exist.
        known_before: the legs in the book before Asterisk was asked; younger ones are left alone, because the answer
        may be older than they are.
        """
        events: list[CallEvent] = []
        present = {LegId(channel.id): channel for channel in ours}
        for leg_id in known_before:
            if leg_id in self._entries and leg_id not in present:
                events += self._missing(leg_id, leg_id in alive)
        for leg_id, channel in present.items():
            entry = self._entries.get(leg_id)
            if entry is None:
                direction = Direction.OUTBOUND if leg_id.startswith(OWN_PREFIX) else Direction.INBOUND
                leg = _leg_of(channel, _arguments_of(channel), direction)
                self._entries[leg_id] = _Entry(leg, in_stasis=True, claimed=False, told=False)
            elif channel.state == "Up" and channel.app_name == "Stasis" and entry.leg.state is not LegState.ANSWERED:
                events += self._answered(entry)
            elif entry.held:
                # Nothing tells whether the party is back: talking to somebody who is not there does less harm than
                # silence to somebody who is.
                events += self._held(leg_id, False)
        return events

    def _started(self, channel: Channel, arguments: tuple[str, ...], replaces: LegId) -> list[CallEvent]:
        leg_id = LegId(channel.id)
        entry = self._entries.get(leg_id)
        if entry is not None and entry.away:
            self._came_back(entry, channel)
            return []
        if entry is not None and entry.found_in and entry.found_in == channel.context:
            entry.found_in = ""
            return []
        if entry is None and replaces in self._entries:
            return self.replace(replaces, channel)
        if entry is not None and not entry.in_stasis:
            return self._answered(entry)
        leg = _leg_of(channel, arguments, Direction.INBOUND)
        self._entries[leg_id] = _Entry(leg, in_stasis=True, timed=entry is not None)
        if entry is not None and entry.told:
            # It was away and has come back while we were not connected: whoever serves it must stop first.
            return [LegLeft(leg_id), LegOffered(leg)]
        return [LegOffered(leg)]

    def _came_back(self, entry: _Entry, channel: Channel) -> None:
        entry.away = False
        entry.leg = replace(entry.leg, ani=channel.caller_number, ani_name=channel.caller_name)

    def _changed(self, channel: Channel) -> list[CallEvent]:
        entry = self._entries.get(LegId(channel.id))
        if entry is None:
            return []
        if channel.state == "Ringing" and not entry.in_stasis and not entry.rang:
            entry.rang = True
            return [LegRinging(entry.leg.id)]
        if channel.state == "Up" and entry.in_stasis and entry.leg.state is not LegState.ANSWERED:
            return self._answered(entry)
        return []

    def _answered(self, entry: _Entry) -> list[CallEvent]:
        if entry.moving:
            entry.leg, entry.moving = replace(entry.leg, state=LegState.ANSWERED), not entry.held
            return self._held(entry.leg.id, False)
        if not entry.in_stasis:
            entry.in_stasis = entry.claimed = True
        entry.leg = replace(entry.leg, state=LegState.ANSWERED)
        return [LegAnswered(entry.leg)]

    def _pressed(self, event: ChannelDtmfReceived) -> list[CallEvent]:
        """Tell a key once; Asterisk may report it twice."""
        if self._entries[LegId(event.channel_id)].keys.is_repeat(event.digit, event.duration_ms, event.at_ms):
            return []
        return [DigitReceived(LegId(event.channel_id), event.digit, event.duration_ms)]

    def _held(self, leg_id: LegId, held: bool) -> list[CallEvent]:
        """Tell a hold and its end once; Asterisk may repeat either."""
        entry = self._entries[leg_id]
        if not entry.in_stasis or entry.held is held:
            return []
        entry.held = held
        return [LegHeld(leg_id) if held else LegRetrieved(leg_id)]

    def _announce_end(self, event: ChannelHangupRequest) -> None:
        entry = self._entries.get(LegId(event.channel_id))
        if entry is None or entry.end_cause is not None:
            return
        if event.soft:
            entry.end_cause = entry.our_cause or HangupCause.NORMAL_CLEARING
        else:
            entry.end_cause = _cause_of(event.cause or 0, event.tech_cause, entry.leg)

    def _stasis_ended(self, leg_id: LegId) -> list[CallEvent]:
        """The last event about an inbound leg: Asterisk stops telling us before the channel is destroyed."""
        entry = self._entries.get(leg_id)
        if entry is None or (entry.away and entry.end_cause is None):
            return []
        self._strike_out(leg_id)
        if entry.end_cause is None:
            return [LegLeft(leg_id)]
        return [LegEnded(leg_id, entry.end_cause)]

    def _destroyed(self, event: ChannelDestroyed) -> list[CallEvent]:
        entry = self._entries.get(LegId(event.channel_id))
        if entry is None:
            return []
        self._strike_out(entry.leg.id)
        cause = entry.our_cause or entry.end_cause or _cause_of(event.cause, event.tech_cause, entry.leg)
        return [LegEnded(entry.leg.id, cause)]

    def _missing(self, leg_id: LegId, alive: bool) -> list[CallEvent]:
        entry = self._entries[leg_id]
        if alive and entry.away:
            return []
        self._strike_out(leg_id)
        if alive and entry.in_stasis and entry.end_cause is None:
            return [LegLeft(leg_id)]
        return [LegEnded(leg_id, entry.end_cause or HangupCause.UNKNOWN)]

    def _strike_out(self, leg_id: LegId) -> None:
        del self._entries[leg_id]
        self._heirs = {old: heir for old, heir in self._heirs.items() if heir != leg_id}


def _cause_of(q850: int, tech_cause: int | None, leg: Leg) -> HangupCause:
    """Return the cause that the other side gave.

    No cause (0) is a plain BYE; where Asterisk before 18 gives up an attempt that rings, it gives none either. A caller
    who gives up before the answer appears as 127 with SIP status 487, which Asterisk before 21 does not tell.
    """
    answered = leg.state is LegState.ANSWERED
    if q850 == 0 and leg.direction is Direction.OUTBOUND and not answered:
        return HangupCause.NO_ANSWER
    gave_up = q850 == HangupCause.INTERWORKING and tech_cause is None and not answered
    if q850 == 0 or gave_up or tech_cause == _SIP_REQUEST_TERMINATED:
        return HangupCause.NORMAL_CLEARING
    return HangupCause.from_q850(q850)


def _leg_of(channel: Channel, arguments: tuple[str, ...], direction: Direction) -> Leg:
    variables = {name: value for name, value in channel.variables.items() if value}
    linked_id = variables.pop(LINKED_ID, channel.id)
    dialled = variables.pop(DIALLED_NUMBER, "" if channel.extension == "s" else channel.extension)
    wideband = _WIDEBAND.match(variables.pop(NATIVE_FORMATS, "")) is not None
    return Leg(
        id=LegId(channel.id),
        call_id=CallId(linked_id),
        direction=direction,
        state=LegState.ANSWERED if channel.state == "Up" else LegState.OFFERED,
        ani=channel.caller_number,
        ani_name=channel.caller_name,
        dnis=dialled,
        arguments=arguments,
        variables=variables,
        wideband=wideband,
    )


def _arguments_of(channel: Channel) -> tuple[str, ...]:
    """Return the arguments of a channel found in Stasis: `parley,agent=reception` without the application."""
    return tuple(channel.app_data.split(",")[1:])
