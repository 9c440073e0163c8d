"""Lanes are lent to a bounded number of utterances and come back clean."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from parley.conversation.errors import EngineUnavailable
from parley.conversation.ports import Hypothesis
from parley.engines.backlog import Backlog
from parley.engines.decoder_pool import DecoderPool
from parley.engines.listener import Finding


class CountingListener:
    """Listener that notes its threads and what was abandoned."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.threads = {threading.get_ident()}
        self.abandoned = 0

    def start(self, rate_hz: int, grammar: str) -> None:
        """Begin."""

    def hear(self, pcm: bytes) -> str:
        """Note the thread."""
        self.threads.add(threading.get_ident())
        return ""

    def finish(self) -> Finding:
        """End."""
        return Finding(Hypothesis("", final=True))

    def abandon(self) -> None:
        """Count."""
        self.threads.add(threading.get_ident())
        self.abandoned += 1


@pytest.fixture(autouse=True)
def count_from_zero() -> None:
    CountingListener.made = 0


async def test_listeners_are_made_when_needed_and_used_again() -> None:
    pool = DecoderPool(CountingListener, size=3, wait_s=1)
    for _ in range(4):
        async with pool.lane() as lane:
            await lane.listener()
    assert CountingListener.made == 1
    pool.close()


async def test_each_listener_lives_in_one_thread_that_is_not_the_loops() -> None:
    pool = DecoderPool(CountingListener, size=2, wait_s=1)
    async with pool.lane() as first, pool.lane() as second:
        listeners = [await first.listener(), await second.listener()]
        await asyncio.gather(first.run(listeners[0].hear, b""), second.run(listeners[1].hear, b""))
    assert all(isinstance(listener, CountingListener) and len(listener.threads) == 1 for listener in listeners)
    assert listeners[0] is not listeners[1]
    pool.close()


async def test_utterance_beyond_the_size_waits_and_gets_the_lane_that_comes_free() -> None:
    pool = DecoderPool(CountingListener, size=1, wait_s=5)
    order = []

    async def utterance(name: str) -> None:
        async with pool.lane() as lane:
            await lane.listener()
            order.append(name)
            await asyncio.sleep(0)
            order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(utterance(name))
    assert order == list("aabbcc")
    pool.close()


async def test_waiting_too_long_is_unavailable_and_gives_the_place_up() -> None:
    pool = DecoderPool(CountingListener, size=1, wait_s=0.01)
    async with pool.lane():
        with pytest.raises(EngineUnavailable, match="all 1 decoders are busy"):
            async with pool.lane():
                pass
    async with pool.lane():
        pass
    pool.close()


async def blocks_of(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        await asyncio.sleep(0)
        yield block


async def test_lane_goes_to_whoever_waits_longest_and_nobody_jumps_the_queue() -> None:
    pool = DecoderPool(CountingListener, size=2, wait_s=5)
    served: list[int] = []

    async def utterance(number: int) -> None:
        async with pool.lane(Backlog(blocks_of(b"", b""), 100)):
            served.append(number)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(utterance(number))
            await asyncio.sleep(0)
    assert served == list(range(10))
    pool.close()


async def test_utterance_whose_caller_still_speaks_waits_longer_than_one_that_has_ended() -> None:
    pool = DecoderPool(CountingListener, size=1, wait_s=0.01)
    silent = asyncio.Event()

    async def speech() -> AsyncIterator[bytes]:
        yield b"one"
        await silent.wait()
        yield b"two"
        yield b"three"

    async def utterance() -> list[bytes]:
        backlog = Backlog(speech(), 100)
        async with pool.lane(backlog):
            return [block async for block in backlog]

    async with asyncio.TaskGroup() as group:
        async with pool.lane():
            waiting = group.create_task(utterance())
            await asyncio.sleep(0.05)
        silent.set()
    assert waiting.result() == [b"one", b"two", b"three"]
    pool.close()


async def test_utterance_too_long_to_be_caught_up_with_is_unavailable_and_gives_its_place_up() -> None:
    pool = DecoderPool(CountingListener, size=1, wait_s=5)
    async with pool.lane():
        with pytest.raises(EngineUnavailable, match="too long"):
            async with pool.lane(Backlog(blocks_of(b"12345", b"678901"), 10)):
                pass
    async with pool.lane():
        pass
    pool.close()


async def test_cancelled_utterance_leaves_the_queue_and_loses_no_lane() -> None:
    pool = DecoderPool(CountingListener, size=1, wait_s=5)

    async def utterance() -> None:
        async with pool.lane(Backlog(blocks_of(b""), 10)):
            await asyncio.sleep(0)

    for ticks in range(8):  # while it reads, while it waits, as it gets the lane, while it has it
        async with asyncio.TaskGroup() as group:
            async with pool.lane():
                cancelled, other = group.create_task(utterance()), group.create_task(utterance())
                for _ in range(ticks):
                    await asyncio.sleep(0)
            cancelled.cancel()
        assert other.done()
        async with asyncio.timeout(1), pool.lane():
            pass
    pool.close()


async def test_utterance_is_abandoned_behind_the_work_that_is_still_running() -> None:
    pool = DecoderPool(CountingListener, size=1, wait_s=1)
    working, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        working.set()
        go_on.wait(5)

    async def utterance() -> None:
        async with pool.lane() as lane:
            await lane.listener()
            await lane.run(slow)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(utterance())
        while not working.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
    async with pool.lane() as lane:
        listener = lane.listener()
        go_on.set()
        found = await listener
        assert isinstance(found, CountingListener)
        await lane.run(found.hear, b"")
        assert found.abandoned == 1
    pool.close()
