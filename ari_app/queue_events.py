"""What becomes of our legs in queues: AMI events in, call events out. No I/O; time is an input.

`call_control` tells it about legs and gives it AMI's events. The order in which Asterisk sends them is in
tests/data/ami: QueueCallerLeave comes before AgentConnect, QueueCallerAbandon also when the time is up, and a caller
who hangs up during the summary is connected all the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ari_app.ami.messages import AmiEvent
from parley.call_control import (
    AgentAnswered,
    AgentDeclined,
    AgentOffered,
    CallId,
    LegId,
    QueueEvent,
    QueueExit,
    QueueJoined,
    QueueLeft,
)
from parley.call_control.validation import without_control_characters

MAX_LEGS = 5000
"""Remembered at once; the oldest is forgotten first."""
MEMORY_S = 6 * 3600.0
"""How long a leg is remembered of which nothing is heard."""
_MAX_NAME = 80


@dataclass(slots=True)
class _Waiting:
    """A stay in a queue."""

    queue: str
    channel: str
    """Which waits: the leg's own, or the far end of a Local channel that the dialplan has put before the queue."""
    joined_at: float
    gave_up: bool = False
    """The caller has hung up."""
    waited_s: float | None = None
    """Known once the caller has left the queue, be it to a queue agent or not."""
    answered_at: float | None = None

    def ended(self, leg_id: LegId, now: float) -> QueueLeft:
        """Return how the stay ended, where Asterisk has not said it."""
        waited_s = now - self.joined_at if self.waited_s is None else self.waited_s
        if self.answered_at is not None:
            return QueueLeft(leg_id, self.queue, QueueExit.ANSWERED, waited_s, now - self.answered_at)
        return QueueLeft(leg_id, self.queue, QueueExit.ABANDONED if self.gave_up else QueueExit.UNSERVED, waited_s)


@dataclass(slots=True)
class _Leg:
    id: LegId
    call_id: CallId
    heard_of: float
    channels: set[str] = field(default_factory=set)
    """The leg's own, and those through which it has waited in a queue."""
    waiting: _Waiting | None = None
    hung_up: bool = False


class QueueEvents:
    """The legs that are or were ours, and where they wait."""

    def __init__(self, max_legs: int = MAX_LEGS, memory_s: float = MEMORY_S) -> None:
        self._max_legs = max_legs
        self._memory_s = memory_s
        self._legs: OrderedDict[LegId, _Leg] = OrderedDict()
        """Longest unheard of first."""
        self._by_channel: dict[str, _Leg] = {}
        self._by_call: dict[str, _Leg] = {}

    def __len__(self) -> int:
        return len(self._legs)

    def follow(self, leg_id: LegId, call_id: CallId, now: float) -> None:
        """Match events with this leg from now on; to be told when it comes into our hands, and when it leaves."""
        leg = self._legs.get(leg_id)
        if leg is None:
            leg = self._legs[leg_id] = _Leg(leg_id, call_id, now)
            self._add_channel(leg, leg_id)
            self._by_call[call_id] = leg
        self._heard_of(leg, now)
        while len(self._legs) > self._max_legs or self._oldest.heard_of < now - self._memory_s:
            self.forget(self._oldest.id)

    def forget(self, leg_id: LegId) -> None:
        """Match nothing with this leg any more; it may be unknown."""
        leg = self._legs.pop(leg_id, None)
        if leg is None:
            return
        for channel in leg.channels:
            self._by_channel.pop(channel, None)
        if self._by_call.get(leg.call_id) is leg:
            del self._by_call[leg.call_id]

    def apply(self, event: AmiEvent, now: float) -> list[QueueEvent]:
        """Take one AMI event and return what it means for a leg of ours, if anything. now: seconds, monotonic."""
        leg = self._leg_of(event)
        if leg is None:
            return []
        self._heard_of(leg, now)
        return _READERS[event.name](self, leg, event, now) if event.name in _READERS else []

    @property
    def _oldest(self) -> _Leg:
        return next(iter(self._legs.values()))

    def _heard_of(self, leg: _Leg, now: float) -> None:
        leg.heard_of = now
        self._legs.move_to_end(leg.id)

    def _add_channel(self, leg: _Leg, channel: str) -> None:
        leg.channels.add(channel)
        self._by_channel[channel] = leg

    def _leg_of(self, event: AmiEvent) -> _Leg | None:
        """Return the leg that an event is about: by its channel, else, for a caller in a queue, by its call."""
        channel = event.get("Uniqueid")
        leg = self._by_channel.get(channel)
        if leg is None and channel and not event.name.startswith("Hangup"):
            leg = self._by_call.get(event.get("Linkedid"))
            if leg is not None:
                self._add_channel(leg, channel)
        return leg

    def _joined(self, leg: _Leg, event: AmiEvent, now: float) -> list[QueueEvent]:
        events = self._left(leg, now)
        leg.waiting = _Waiting(_text(event, "Queue"), event.get("Uniqueid"), now)
        return [*events, QueueJoined(leg.id, leg.waiting.queue, int(_number(event, "Position")))]

    def _offered(self, leg: _Leg, event: AmiEvent, now: float) -> list[QueueEvent]:
        return [AgentOffered(leg.id, _text(event, "Queue"), _agent(event))]

    def _declined(self, leg: _Leg, event: AmiEvent, now: float) -> list[QueueEvent]:
        return [AgentDeclined(leg.id, _text(event, "Queue"), _agent(event), _number(event, "RingTime") / 1000)]

    def _answered(self, leg: _Leg, event: AmiEvent, now: float) -> list[QueueEvent]:
        waited_s = _number(event, "HoldTime")
        if leg.waiting is None:  # the joining was missed: we were not connected
            leg.waiting = _Waiting(_text(event, "Queue"), event.get("Uniqueid"), now - waited_s)
        if leg.waiting.gave_up:
            # Hung up while the queue agent listened to the summary; Asterisk connects the agent with nobody.
            return []
        leg.waiting.waited_s, leg.waiting.answered_at = waited_s, now
        return [AgentAnswered(leg.id, leg.waiting.queue, _agent(event), waited_s)]

    def _completed(self, leg: _Leg, event: AmiEvent, now: float) -> list[QueueEvent]:
        if leg.waiting is not None and leg.waiting.answered_at is not None:
            leg.waiting.answered_at = now - _number(event, "TalkTime")
        return self._left(leg, now)

    def _going(self, leg: _Leg, event: AmiEvent, now: float) -> list[QueueEvent]:
        """Note that the caller left, to a queue agent or not: only what follows tells."""
        if leg.waiting is not None and leg.waiting.waited_s is None:
            leg.waiting.waited_s = now - leg.waiting.joined_at
        return []

    def _abandoned(self, leg: _Leg, event: AmiEvent, now: float) -> list[QueueEvent]:
        if leg.waiting is not None:
            leg.waiting.waited_s = _number(event, "HoldTime")
        return self._left(leg, now)

    def _gave_up(self, leg: _Leg, event: AmiEvent, now: float) -> list[QueueEvent]:
        if leg.waiting is not None:
            leg.waiting.gave_up = True
        return []

    def _left(self, leg: _Leg, now: float) -> list[QueueEvent]:
        waiting, leg.waiting = leg.waiting, None
        self._forget_if_hung_up(leg)
        return [] if waiting is None else [waiting.ended(leg.id, now)]

    def _hung_up(self, leg: _Leg, event: AmiEvent, now: float) -> list[QueueEvent]:
        """End the stay of the channel that is gone. Of a Local channel's two ends either may go first."""
        channel = event.get("Uniqueid")
        leg.hung_up = leg.hung_up or channel == leg.id
        if leg.waiting is not None and leg.waiting.channel != channel:
            return []
        return self._left(leg, now)

    def _forget_if_hung_up(self, leg: _Leg) -> None:
        if leg.hung_up:
            self.forget(leg.id)


_READERS: Mapping[str, Callable[[QueueEvents, _Leg, AmiEvent, float], list[QueueEvent]]] = {
    "QueueCallerJoin": QueueEvents._joined,
    "QueueCallerLeave": QueueEvents._going,
    "QueueCallerAbandon": QueueEvents._abandoned,
    "AgentCalled": QueueEvents._offered,
    "AgentRingNoAnswer": QueueEvents._declined,
    "AgentConnect": QueueEvents._answered,
    "AgentComplete": QueueEvents._completed,
    "HangupRequest": QueueEvents._gave_up,
    "Hangup": QueueEvents._hung_up,
}

EVENTS = tuple(_READERS)
"""Their names in AMI; all are of the classes `agent` and `call`."""


def _text(event: AmiEvent, name: str) -> str:
    return without_control_characters(event.get(name))[:_MAX_NAME]


def _agent(event: AmiEvent) -> str:
    """Return the queue agent's name; a member without one is known by its interface."""
    return _text(event, "MemberName") or _text(event, "Interface")


def _number(event: AmiEvent, name: str) -> float:
    value = event.get(name)
    return float(value) if value.isascii() and value.isdecimal() and len(value) < 12 else 0.0
