"""A bounded number of listeners, each with a thread of its own, made when first needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from parley.conversation.errors import EngineUnavailable
from parley.engines.listener import Listener

Result = TypeVar("Result")


class Lane:
    """A listener and the thread that it lives in: work given to it is done in order."""

    def __init__(self, make: Callable[[], Listener], number: int) -> None:
        self._make = make
        self._listener: Listener | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"decoder-{number}")

    async def listener(self) -> Listener:
        """Return the listener, made at the first call. Raises EngineError."""
        if self._listener is None:
            self._listener = await self.run(self._make)
        return self._listener

    async def run(self, work: Callable[..., Result], *args: object) -> Result:
        """Do the work in the lane's thread. Cancelling: what has begun is finished, unheard."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def abandon(self) -> None:
        """Leave the utterance behind whatever is still being done."""
        if self._listener is not None:
            self._thread.submit(self._listener.abandon)

    def close(self) -> None:
        """End the thread when its work is done."""
        self._thread.shutdown(wait=False)


class DecoderPool:
    """Lanes for `size` utterances at once; the next ones wait."""

    def __init__(self, make: Callable[[], Listener], size: int, wait_s: float) -> None:
        """Prepare.   make: a listener, in its lane's thread.   wait_s: how long an utterance waits for a lane."""
        self._lanes = [Lane(make, number) for number in range(size)]
        self._free = list(reversed(self._lanes))
        self._room = asyncio.Semaphore(size)
        self._wait_s = wait_s

    @asynccontextmanager
    async def lane(self) -> AsyncGenerator[Lane]:
        """Lend a lane; on the way out its utterance is abandoned. Raises EngineUnavailable if none gets free."""
        try:
            async with asyncio.timeout(self._wait_s):
                await self._room.acquire()
        except TimeoutError as err:
            raise EngineUnavailable(f"all {len(self._lanes)} decoders are busy") from err
        lane = self._free.pop()
        try:
            yield lane
        finally:
            lane.abandon()
            self._free.append(lane)
            self._room.release()

    def close(self) -> None:
        """End all threads when their work is done."""
        for lane in self._lanes:
            lane.close()
