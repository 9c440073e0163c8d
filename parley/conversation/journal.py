"""Write the call's record as it happens, in order, without making the conversation wait for it.

The session owns one from the offer to `close()`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from functools import partial

from parley.conversation.errors import RecordError
from parley.conversation.ports import CallLog
from parley.conversation.record import CallEnd, CallNote, CallStart, Turn, TurnMoments
from parley.conversation.resume_point import ResumePoint

logger = logging.getLogger(__name__)

QUEUE_SIZE = 64
"""Facts that may wait for the call log: more than a call of half an hour makes turns."""


class Journal:
    """One call's way to the call log. A fact that cannot be committed is reported; the call goes on.

    The writer is a task of the journal's own, because it may outlive the conversation. It exists only while facts
    wait: a session that is never closed leaves nothing behind once they are committed.
    """

    def __init__(self, log: CallLog, call_id: str, zero_ms: int = 0) -> None:
        """log: where the facts go.   zero_ms: from the offer of the call to the zero of its session clock."""
        self._log = log
        self._call_id = call_id
        self._zero_ms = zero_ms
        self._facts: deque[Callable[[], Awaitable[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self.lost = 0
        """Facts that were not recorded: too many waited, or they were not committed in time."""

    def call_started(self, start: CallStart) -> None:
        """Record an offered call."""
        self._add(partial(self._log.call_started, start))

    def call_answered(self, at_ms: int, point: ResumePoint | None = None) -> None:
        """Record the answer. at_ms: after the offer.   point: where the call can be taken up."""
        self._add(partial(self._log.call_answered, self._call_id, at_ms, self._placed(point)))

    def turn_ended(self, turn: Turn, point: ResumePoint | None = None) -> None:
        """Record an exchange, and where the call can be taken up after it."""
        self._add(partial(self._log.turn_ended, self._call_id, self._timed(turn), self._placed(point)))

    def noted(self, note: CallNote) -> None:
        """Record something else."""
        timed = replace(note, at_ms=note.at_ms + self._zero_ms)
        self._add(partial(self._log.noted, self._call_id, timed))

    async def flush(self, within_s: float) -> bool:
        """Wait until everything recorded so far is committed, or known not to be; False when it takes longer.

        What takes longer is committed all the same. Cancelling: as when it takes longer.
        """
        try:
            async with asyncio.timeout(within_s):
                while self._facts or self._writing:
                    await asyncio.wait({self._ensure_writer()})
        except TimeoutError:
            return False
        return True

    async def close(self, end: CallEnd, within_s: float) -> None:
        """Record the end, after everything that was recorded before; what is late then is given up and reported.

        May be called twice: the second call does nothing. Cancelling: the rest is given up at once.
        """
        if self._closed:
            return
        self._closed = True
        self._facts.append(partial(self._log.call_ended, self._call_id, end))
        try:
            await self.flush(within_s)
        finally:
            lost = len(self._facts) + self._writing
            self.stop()
            self.lost += lost
            if lost:
                logger.error("call log did not commit in time, facts are lost", extra={"lost": lost})

    def stop(self) -> None:
        """Break off writing. Facts that are not committed wait for `close()`, the one being committed among them."""
        if self._writer is not None:
            self._writer.cancel()

    def _timed(self, turn: Turn) -> Turn:
        moments = {name: None if at is None else at + self._zero_ms for name, at in asdict(turn.moments).items()}
        return replace(turn, at_ms=turn.at_ms + self._zero_ms, moments=TurnMoments(**moments))

    def _placed(self, point: ResumePoint | None) -> ResumePoint | None:
        return None if point is None else replace(point, turn=self._timed(point.turn))

    @property
    def _writing(self) -> bool:
        return self._writer is not None and not self._writer.done()

    def _add(self, fact: Callable[[], Awaitable[None]]) -> None:
        if self._closed:
            logger.error("a fact of the call came after its end and is lost")
        elif len(self._facts) >= QUEUE_SIZE:
            self.lost += 1
            logger.error("call log is too far behind, a fact is lost", extra={"waiting": QUEUE_SIZE})
        else:
            self._facts.append(fact)
            self._ensure_writer()

    def _ensure_writer(self) -> asyncio.Task[None]:
        """Return the writer; there is never more than one, or facts would overtake each other."""
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
            self._writer.add_done_callback(_tell_fault)
        return self._writer

    async def _write(self) -> None:
        """Commit fact after fact until none waits. Cancelling: the fact being committed keeps its place."""
        while self._facts:
            fact = self._facts.popleft()
            try:
                await fact()
            except RecordError as err:
                logger.error("call log did not commit a fact", extra={"code": err.code})
            except asyncio.CancelledError:
                self._facts.appendleft(fact)
                raise


def _tell_fault(writer: asyncio.Task[None]) -> None:
    """Report a fault of ours that ended a writer: nobody awaits its result."""
    if not writer.cancelled() and (fault := writer.exception()) is not None:
        logger.error("call log has a fault, a fact is lost", exc_info=fault)
