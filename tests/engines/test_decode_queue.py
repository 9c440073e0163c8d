"""Slots go to whoever needs them most, and come back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from parley.conversation.errors import EngineTimeout, EngineUnavailable
from parley.engines.decode_queue import DecodeQueue, Urgency

LONG_S = 20.0
SHORT_S = 0.01


class Works:
    """Decodings that wait until they may end, and note in which order they began."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.stopped: list[str] = []
        self.may_end = threading.Event()

    def make(self, name: str) -> Callable[[Callable[[], bool]], str]:
        return partial(self._work, name)

    def _work(self, name: str, stopped: Callable[[], bool]) -> str:
        self.began.append(name)
        self.may_end.wait(LONG_S)
        if stopped():
            self.stopped.append(name)
        return name


@pytest.fixture
def works() -> Iterator[Works]:
    made = Works()
    yield made
    made.may_end.set()


async def empty(queue: DecodeQueue[str]) -> None:
    async with asyncio.timeout(LONG_S):
        while queue.busy:
            await asyncio.sleep(0.001)


async def test_finals_go_before_pauses_and_pauses_before_partials(works: Works) -> None:
    queue: DecodeQueue[str] = DecodeQueue(2)
    for name in ("x", "y"):
        queue.submit(works.make(name), Urgency.EARLY)
    queue.submit(works.make("partial"), Urgency.PARTIAL)
    queue.submit(works.make("pause"), Urgency.EARLY)
    queue.submit(works.make("first final"), Urgency.FINAL)
    queue.submit(works.make("second final"), Urgency.FINAL)
    works.may_end.set()
    await empty(queue)
    assert set(works.began[2:4]) == {"first final", "second final"}
    assert works.began[4:] == ["pause", "partial"]
    queue.close()


async def test_partials_leave_one_slot_for_finals(works: Works) -> None:
    queue: DecodeQueue[str] = DecodeQueue(2)
    first = queue.submit(works.make("first"), Urgency.PARTIAL)
    second = queue.submit(works.make("second"), Urgency.PARTIAL)
    final = queue.submit(works.make("final"), Urgency.FINAL)
    assert (first.begun, second.begun, final.begun) == (True, False, True)
    queue.close()


async def test_utterance_that_was_served_longest_ago_gets_the_next_partial(works: Works) -> None:
    queue: DecodeQueue[str] = DecodeQueue(2)
    greedy, patient = queue.next_turn(), queue.next_turn()
    queue.submit(works.make("occupies"), Urgency.FINAL)
    queue.submit(works.make("occupies too"), Urgency.FINAL)
    queue.submit(works.make("greedy"), Urgency.PARTIAL, patient + 5)
    queue.submit(works.make("patient"), Urgency.PARTIAL, greedy)
    works.may_end.set()
    await empty(queue)
    assert works.began[2:] == ["patient", "greedy"]
    queue.close()


async def test_final_that_gets_no_slot_before_its_deadline_is_unavailable_and_leaves_the_line(works: Works) -> None:
    queue: DecodeQueue[str] = DecodeQueue(1)
    queue.submit(works.make("occupies"), Urgency.FINAL)
    late = queue.submit(works.make("late"), Urgency.FINAL)
    with pytest.raises(EngineUnavailable, match="all 1 decoding slots were busy"):
        await queue.outcome(late, SHORT_S)
    assert queue.waiting == 0
    works.may_end.set()
    await empty(queue)
    assert works.began == ["occupies"]
    queue.close()


async def test_final_that_takes_too_long_is_a_time_out_and_its_slot_comes_back(works: Works) -> None:
    queue: DecodeQueue[str] = DecodeQueue(1)
    with pytest.raises(EngineTimeout):
        await queue.outcome(queue.submit(works.make("slow"), Urgency.FINAL), SHORT_S)
    assert queue.busy == 1
    works.may_end.set()
    await empty(queue)
    assert works.stopped == ["slow"]
    assert await queue.outcome(queue.submit(works.make("next"), Urgency.FINAL), LONG_S) == "next"
    queue.close()


async def test_caller_who_hangs_up_frees_the_slot(works: Works) -> None:
    queue: DecodeQueue[str] = DecodeQueue(1)
    waiting = asyncio.create_task(queue.outcome(queue.submit(works.make("gone"), Urgency.FINAL), LONG_S))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    works.may_end.set()
    assert await queue.outcome(queue.submit(works.make("next"), Urgency.FINAL), LONG_S) == "next"
    assert works.stopped == ["gone"]
    queue.close()


async def test_error_of_the_work_reaches_whoever_waits_and_nobody_else() -> None:
    def fails(_: Callable[[], bool]) -> str:
        raise EngineTimeout("no")

    queue: DecodeQueue[str] = DecodeQueue(1)
    unheard = queue.submit(fails, Urgency.EARLY)
    with pytest.raises(EngineTimeout, match="no"):
        await queue.outcome(queue.submit(fails, Urgency.FINAL), LONG_S)
    await empty(queue)
    assert unheard.done
    queue.close()
