"""The call log as the node uses it: committed to the store, counted, and written to the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from parley.app.latency import LatencyWatch
from parley.app.metrics import Metrics
from parley.conversation.ports import CallLog
from parley.conversation.record import CallEnd, CallNote, CallStart, Turn
from parley.conversation.resume_point import ResumePoint
from parley.store import StoreError

logger = logging.getLogger(__name__)


class ObservedCallLog:
    """A CallLog that tells metrics and log what it commits."""

    def __init__(self, inner: CallLog, metrics: Metrics, objective_ms: int = 0) -> None:
        """inner: where the facts are kept.   objective_ms: for 95 % of the responses; 0: none."""
        self._inner = inner
        self._latency = LatencyWatch(objective_ms)
        self._metrics = metrics

    async def call_started(self, start: CallStart) -> None:
        """Record an offered call."""
        self._metrics.call_started(start)
        logger.info("call started", extra={"agent": start.agent, "flow": start.flow, "pii_ani": start.ani})
        with self._recording():
            await self._inner.call_started(start)

    async def call_answered(self, call_id: str, at_ms: int, point: ResumePoint | None = None) -> None:
        """Record that the call was answered."""
        with self._recording():
            await self._inner.call_answered(call_id, at_ms, point)

    async def turn_ended(self, call_id: str, turn: Turn, point: ResumePoint | None = None) -> None:
        """Record one exchange."""
        self._metrics.turn_ended(turn)
        self._watch_latency(turn)
        logger.info(
            "turn",
            extra={
                "number": turn.number,
                "node": turn.node,
                "at_ms": turn.at_ms,
                "response_ms": turn.timings.response_ms,
                "barge_in_ms": turn.timings.barge_in_ms,
                "confidence": round(turn.confidence, 2),
                "rejected": turn.rejected,
                "pii_caller": turn.caller_text or turn.caller_keys,
                "pii_agent": turn.agent_heard,
            },
        )
        with self._recording():
            await self._inner.turn_ended(call_id, turn, point)

    async def noted(self, call_id: str, note: CallNote) -> None:
        """Record something else that happened."""
        if note.kind == "engine_failed":
            self._metrics.engine_failed(note.details.get("engine", ""), note.details.get("code", ""))
        elif note.kind == "resumed":
            self._metrics.call_resumed()
        logger.info("call note", extra={"kind": note.kind, "at_ms": note.at_ms, "pii_details": dict(note.details)})
        with self._recording():
            await self._inner.noted(call_id, note)

    async def call_ended(self, call_id: str, end: CallEnd) -> None:
        """Record the outcome; the log tells it last, so that who reads it there finds it in the record."""
        self._metrics.call_ended(end)
        try:
            with self._recording():
                await self._inner.call_ended(call_id, end)
        finally:
            logger.info("call ended", extra={"reason": end.reason.value, "outcome": end.outcome})

    async def followed_up(self, call_id: str, note: CallNote) -> None:
        """Record what became of the caller behind us."""
        logger.info(
            "caller followed up",
            extra={"kind": note.kind, "at_ms": note.at_ms, "pii_details": dict(note.details)},
        )
        with self._recording():
            await self._inner.followed_up(call_id, note)

    def _watch_latency(self, turn: Turn) -> None:
        """Hold the response against the objective; a greeting answers nobody."""
        if turn.number == 0 or turn.timings.response_ms is None:
            return
        self._latency.add(turn.timings.response_ms)
        if self._latency.p95_ms is not None:
            self._metrics.response_p95(self._latency.p95_ms)

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """Count and report the store's failures."""
        try:
            yield
        except StoreError as err:
            self._metrics.record_failed(err)
            logger.error("call record not written", extra={"code": err.code, "problem": str(err)})
            raise
