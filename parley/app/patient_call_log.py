"""A call log that tries again while the database cannot be written: locked, full, or not there for a while.

The wiring puts it before the store. The conversation's journal sets the time limit, by cancelling.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from parley.app.metrics import Metrics
from parley.conversation.ports import CallLog
from parley.conversation.record import CallEnd, CallNote, CallStart, Turn
from parley.conversation.resume_point import ResumePoint
from parley.store import StoreError

T = TypeVar("T")

logger = logging.getLogger(__name__)

PAUSE_S = 1.0
"""Between two attempts; each may itself wait for the database's lock."""


class PatientCallLog:
    """A CallLog whose facts wait until they are committed. Raises StoreError where trying again would not help.

    Cancelling: the fact under way is given up; it is committed wholly or not at all.
    """

    def __init__(self, inner: CallLog, metrics: Metrics, pause_s: float = PAUSE_S) -> None:
        """inner: where the facts are kept."""
        self._inner = inner
        self._metrics = metrics
        self._pause_s = pause_s

    async def call_started(self, start: CallStart) -> None:
        """Record an offered call."""
        await self._commit(partial(self._inner.call_started, start))

    async def call_answered(self, call_id: str, at_ms: int, point: ResumePoint | None = None) -> None:
        """Record that the call was answered."""
        await self._commit(partial(self._inner.call_answered, call_id, at_ms, point))

    async def turn_ended(self, call_id: str, turn: Turn, point: ResumePoint | None = None) -> None:
        """Record one exchange."""
        await self._commit(partial(self._inner.turn_ended, call_id, turn, point))

    async def noted(self, call_id: str, note: CallNote) -> None:
        """Record something else that happened."""
        await self._commit(partial(self._inner.noted, call_id, note))

    async def call_ended(self, call_id: str, end: CallEnd) -> None:
        """Record the outcome."""
        await self._commit(partial(self._inner.call_ended, call_id, end))

    async def followed_up(self, call_id: str, note: CallNote) -> None:
        """Record what became of the caller behind us; tried once, because no call's end limits its time."""
        await self._inner.followed_up(call_id, note)

    async def _commit(self, write: Callable[[], Awaitable[None]]) -> None:
        await committed(write, self._metrics, "call record not written yet", self._pause_s)


async def committed(write: Callable[[], Awaitable[T]], metrics: Metrics, complaint: str, pause_s: float = PAUSE_S) -> T:
    """Write for as long as it takes, and return what that gave; the trouble is told and counted once.

    complaint: the line of the log. Raises StoreError where trying again would not help.
    """
    told = False
    while True:
        try:
            return await write()
        except StoreError as err:
            if not err.retryable:
                raise
            if not told:
                told = True
                metrics.record_failed(err)
                logger.error(complaint, extra={"code": err.code, "problem": str(err)})
        await asyncio.sleep(pause_s)
