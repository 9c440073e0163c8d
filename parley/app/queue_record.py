"""What becomes of callers in queues, counted and noted with their calls. The switchboard owns one."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass

from parley.app.logs import bind_call
from parley.app.metrics import Metrics
from parley.call_control import (
    AgentAnswered,
    AgentDeclined,
    AgentOffered,
    LegId,
    QueueEvent,
    QueueExit,
    QueueJoined,
    QueueLeft,
)
from parley.conversation.errors import RecordError
from parley.conversation.ports import CallLog, Clock
from parley.conversation.record import CallNote

logger = logging.getLogger(__name__)

AGENT_ANSWERED, AGENT_DECLINED, QUEUE_LEFT = "agent_answered", "agent_declined", "queue_left"
"""Kinds of notes."""

MAX_CALLS = 5000
"""Remembered for what their callers meet behind us; the longest ended are forgotten first."""
MAX_NOTES = 50
"""Of one call: a queue may offer a caller to the same queue agents for hours."""
MAX_WAITING = 1000
"""Notes that wait for the call log."""


@dataclass(slots=True)
class _Call:
    call_id: str
    began_at: float
    """On the monotonic clock."""
    notes: int = 0


class QueueRecord:
    """The legs of our calls, past ones included, and what queues did with them."""

    def __init__(self, log: CallLog, metrics: Metrics, clock: Clock) -> None:
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._calls: OrderedDict[LegId, _Call] = OrderedDict()
        self._notes: asyncio.Queue[tuple[LegId, str, CallNote] | None] = asyncio.Queue(MAX_WAITING + 1)
        self._lost = 0

    def call_begins(self, leg_id: LegId, call_id: str, passed_s: float = 0.0) -> None:
        """Note what happens to this leg with this call from now on.   passed_s: since the call was offered."""
        self._calls.pop(leg_id, None)
        self._calls[leg_id] = _Call(call_id, self._clock.monotonic() - passed_s)
        while len(self._calls) > MAX_CALLS:
            self._calls.popitem(last=False)

    def leg_replaced(self, old_id: LegId, new_id: LegId) -> None:
        """Note with the same call what happens to the leg that has taken another's place."""
        if (call := self._calls.pop(old_id, None)) is not None:
            self._calls[new_id] = call

    def take(self, event: QueueEvent) -> None:
        """Count an event, and note it if the call's record is to tell it; never waits."""
        self._metrics.queue_event(_word_of(event))
        call, note_of = self._calls.get(event.leg_id), _details_of(event)
        if call is None or note_of is None:
            return
        call.notes += 1
        if call.notes > MAX_NOTES and isinstance(event, AgentDeclined):
            return
        kind, details = note_of
        at_ms = round((self._clock.monotonic() - call.began_at) * 1000)
        self._add(event.leg_id, call.call_id, CallNote(kind, at_ms, details))

    async def run(self) -> None:
        """Write notes until closed. Cancelling: those that wait are lost."""
        while (waiting := await self._notes.get()) is not None:
            leg_id, call_id, note = waiting
            with bind_call(call_id, leg_id):
                try:
                    await self._log.followed_up(call_id, note)
                except RecordError as err:
                    logger.error("what became of a caller is not recorded", extra={"code": err.code})

    def close(self) -> None:
        """Let `run` end once it has written what waits."""
        self._notes.put_nowait(None)

    def _add(self, leg_id: LegId, call_id: str, note: CallNote) -> None:
        if self._notes.qsize() < MAX_WAITING:
            self._notes.put_nowait((leg_id, call_id, note))
            return
        if self._lost == 0:
            logger.error("call log is too far behind, what became of callers is lost", extra={"waiting": MAX_WAITING})
        self._lost += 1
        self._metrics.dropped("queue_notes", 1)


def _word_of(event: QueueEvent) -> str:
    """Return the event's label in the metrics, one of `metrics.QUEUE_EVENT_LABELS`."""
    match event:
        case QueueJoined():
            return "joined"
        case AgentOffered():
            return "offered"
        case AgentDeclined():
            return "declined"
        case AgentAnswered():
            return "answered"
        case QueueLeft(exit=QueueExit.ANSWERED):
            return "talk_ended"
        case QueueLeft(exit=exit):
            return exit.value


def _details_of(event: QueueEvent) -> tuple[str, dict[str, str]] | None:
    """Return the note's kind and details, None for events that only lead to others."""
    match event:
        case AgentAnswered(queue=queue, agent=agent, waited_s=waited_s):
            return AGENT_ANSWERED, {"queue": queue, "agent": agent, "waited_s": f"{waited_s:.0f}"}
        case AgentDeclined(queue=queue, agent=agent, rang_s=rang_s):
            return AGENT_DECLINED, {"queue": queue, "agent": agent, "rang_s": f"{rang_s:.0f}"}
        case QueueLeft(queue=queue, exit=exit, waited_s=waited_s, talked_s=talked_s):
            talked = {"talked_s": f"{talked_s:.0f}"} if exit is QueueExit.ANSWERED else {}
            return QUEUE_LEFT, {"queue": queue, "exit": exit.value, "waited_s": f"{waited_s:.0f}", **talked}
        case _:
            return None
