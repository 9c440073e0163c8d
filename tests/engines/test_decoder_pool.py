"""Lanes are lent to a bounded number of utterances and come back clean."""

from __future__ import annotations

import asyncio
import threading

import pytest

from parley.conversation.errors import EngineUnavailable
from parley.conversation.ports import Hypothesis
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
