"""Write the call's record as it happens, in order, without making the conversation wait for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from parley.conversation.errors import RecordError
from parley.conversation.ports import CallLog
from parley.conversation.record import CallEnd, CallNote, CallStart, Turn

logger = logging.getLogger(__name__)

QUEUE_SIZE = 64
"""Facts that may wait for the call log: more than a call of half an hour makes turns."""


class Journal:
    """One call's way to the call log. A fact that cannot be committed is reported; the call goes on."""

    def __init__(self, log: CallLog, call_id: str) -> None:
        """log: where the facts go."""
        self._log = log
        self._call_id = call_id
        self._facts: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(maxsize=QUEUE_SIZE)

    def call_started(self, start: CallStart) -> None:
        """Record an offered call."""
        self._add(partial(self._log.call_started, start))

    def call_answered(self, at_ms: int) -> None:
        """Record the answer."""
        self._add(partial(self._log.call_answered, self._call_id, at_ms))

    def turn_ended(self, turn: Turn) -> None:
        """Record an exchange."""
        self._add(partial(self._log.turn_ended, self._call_id, turn))

    def noted(self, note: CallNote) -> None:
        """Record something else."""
        self._add(partial(self._log.noted, self._call_id, note))

    async def run(self) -> None:
        """Commit fact after fact until cancelled. Cancelling: the fact being committed is finished or given up."""
        while True:
            fact = await self._facts.get()
            try:
                await self._commit(fact)
            finally:
                self._facts.task_done()

    async def flush(self) -> None:
        """Wait until everything recorded so far is committed, or known not to be. Needs `run()`."""
        await self._facts.join()

    async def call_ended(self, end: CallEnd) -> None:
        """Record the end; everything recorded before must have been flushed."""
        await self._commit(partial(self._log.call_ended, self._call_id, end))

    def _add(self, fact: Callable[[], Awaitable[None]]) -> None:
        try:
            self._facts.put_nowait(fact)
        except asyncio.QueueFull:
            logger.error("call log is too far behind, a fact is lost", extra={"waiting": QUEUE_SIZE})

    async def _commit(self, fact: Callable[[], Awaitable[None]]) -> None:
        try:
            await fact()
        except RecordError as err:
            logger.error("call log did not commit a fact", extra={"code": err.code})
