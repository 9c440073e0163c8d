"""Decodings of whole clips on a bounded number of threads, the most urgent first.

For engines that cannot decode as they hear: `WhisperRecognizer` puts one decoding per utterance in at a time. What
has begun cannot be interrupted; its slot is free again when its thread is done, whoever has given it up meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from enum import IntEnum
from functools import partial
from typing import Generic, TypeVar

from parley.conversation.errors import EngineTimeout, EngineUnavailable

Result = TypeVar("Result")

NICENESS = 5
"""Decoding gives way to media: a recogniser that is late is felt less than audio that stutters."""


class Urgency(IntEnum):
    """What goes first when a slot gets free."""

    FINAL = 0
    """A caller waits for the answer. In the order of their ends."""
    EARLY = 1
    """A caller pauses: the final, if he says no more."""
    PARTIAL = 2
    """A caller speaks. Never on the last slot, so that nobody's final waits behind it."""


class Decoding(Generic[Result]):
    """One piece of work; made by `DecodeQueue.submit()`."""

    def __init__(self, work: Callable[[Callable[[], bool]], Result], urgency: Urgency, turn: int) -> None:
        self.urgency = urgency
        self.turn = turn
        """Among equals the lowest goes first."""
        self.begun = False
        self._work = work
        self._stop = threading.Event()
        self._outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    @property
    def done(self) -> bool:
        """Whether there is a result, or an error."""
        return self._outcome.done()

    async def outcome(self) -> Result:
        """Wait for the result. Raises what the work raised. Cancelling: the work goes on."""
        return await asyncio.shield(self._outcome)

    def run(self) -> Result:
        """Do the work; in a thread."""
        return self._work(self._stop.is_set)

    def give_up(self) -> None:
        """Let the work end as soon as it can; nobody waits for it."""
        self._stop.set()
        self._outcome.cancel()

    def settle(self, ended: Future[Result]) -> None:
        """Take the thread's result."""
        if self._outcome.done() or ended.cancelled():
            return
        error = ended.exception()
        if error is None:
            self._outcome.set_result(ended.result())
        else:
            self._outcome.set_exception(error)
            self._outcome.exception()  # an error that nobody waits for is not complained about


class DecodeQueue(Generic[Result]):
    """`slots` decodings at once; the rest waits.

    Fair between utterances: each has one decoding here at a time, and of those that wait for partials the one goes
    first that was served longest ago.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._busy = 0
        self._waiting: list[Decoding[Result]] = []
        self._turns = 0
        self._threads = ThreadPoolExecutor(slots, "decode", initializer=_give_way)

    @property
    def busy(self) -> int:
        """Slots in use, given-up work included."""
        return self._busy

    @property
    def waiting(self) -> int:
        """Decodings that have not begun."""
        return len(self._waiting)

    def submit(
        self, work: Callable[[Callable[[], bool]], Result], urgency: Urgency, turn: int | None = None
    ) -> Decoding[Result]:
        """Put work in line.

        work: called in a thread with a function that tells whether it has been given up.
        turn: `next_turn()` when this utterance was served last; None for now.
        """
        decoding = Decoding(work, urgency, self.next_turn() if turn is None else turn)
        self._waiting.append(decoding)
        self._dispatch()
        return decoding

    def next_turn(self) -> int:
        """Return a number that is higher than all before."""
        self._turns += 1
        return self._turns

    def give_up(self, decoding: Decoding[Result]) -> None:
        """Take it out of the line, or let its thread end as soon as it can. Harmless when it is done."""
        if decoding in self._waiting:
            self._waiting.remove(decoding)
        decoding.give_up()

    async def outcome(self, decoding: Decoding[Result], within_s: float) -> Result:
        """Wait for the result, and give up at the deadline or when cancelled.

        Raises EngineUnavailable if it has not even begun by then, EngineTimeout if it has, and what the work raised.
        """
        try:
            async with asyncio.timeout(within_s):
                return await decoding.outcome()
        except TimeoutError as err:
            if decoding.begun:
                raise EngineTimeout(f"the recogniser needed more than {within_s:g} s for the utterance") from err
            raise EngineUnavailable(f"all {self.slots} decoding slots were busy for {within_s:g} s") from err
        finally:
            self.give_up(decoding)

    def close(self) -> None:
        """Give everything up; threads end when their work is done."""
        for decoding in list(self._waiting):
            self.give_up(decoding)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _dispatch(self) -> None:
        while (decoding := self._next()) is not None:
            self._waiting.remove(decoding)
            self._busy += 1
            decoding.begun = True
            tell = partial(_tell, asyncio.get_running_loop(), self._end, decoding)
            self._threads.submit(decoding.run).add_done_callback(tell)

    def _next(self) -> Decoding[Result] | None:
        """Return what may begin now."""
        free = self.slots - self._busy
        able = [entry for entry in self._waiting if free > (1 if entry.urgency is Urgency.PARTIAL else 0)]
        return min(able, key=lambda entry: (entry.urgency, entry.turn), default=None)

    def _end(self, decoding: Decoding[Result], ended: Future[Result]) -> None:
        self._busy -= 1
        decoding.settle(ended)
        self._dispatch()


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *arguments: object) -> None:
    with suppress(RuntimeError):  # the loop has ended: nobody waits
        loop.call_soon_threadsafe(callback, *arguments)


def _give_way() -> None:
    os.nice(NICENESS)  # of this thread alone, and of those that the runtime starts from it (Linux)
