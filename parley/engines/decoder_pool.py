"""A bounded number of listeners, each with a thread of its own, made when first needed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from parley.conversation.errors import EngineUnavailable
from parley.engines.backlog import Backlog
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
    """Lanes for `size` utterances at once; the next ones wait, and are served in the order in which they came."""

    def __init__(self, make: Callable[[], Listener], size: int, wait_s: float) -> None:
        """Prepare.

        make: a listener, in its lane's thread.   wait_s: how long an utterance waits for a lane once its audio has
        ended; what is still being spoken may wait as long as its backlog has room.
        """
        self._lanes = [Lane(make, number) for number in range(size)]
        self._free = list(reversed(self._lanes))
        self._queue: deque[asyncio.Future[Lane]] = deque()
        self._wait_s = wait_s

    @asynccontextmanager
    async def lane(self, backlog: Backlog | None = None) -> AsyncGenerator[Lane]:
        """Lend a lane; on the way out its utterance is abandoned.

        backlog: reads the utterance's audio as long as there is no lane; None for an utterance that has ended.
        Raises EngineUnavailable if no lane gets free in time, and what the audio raises.
        """
        place = self._take_place()
        try:
            if backlog is not None:
                await backlog.read_until(place.done)
            yield await self._wait_for(place)
        finally:
            self._give_up(place)

    def _take_place(self) -> asyncio.Future[Lane]:
        """Return a future that gets a lane, at once if one is free."""
        place: asyncio.Future[Lane] = asyncio.get_running_loop().create_future()
        if self._free:
            place.set_result(self._free.pop())
        else:
            self._queue.append(place)
        return place

    async def _wait_for(self, place: asyncio.Future[Lane]) -> Lane:
        try:
            async with asyncio.timeout(self._wait_s):
                return await place
        except TimeoutError as err:
            raise EngineUnavailable(f"all {len(self._lanes)} decoders are busy") from err

    def _give_up(self, place: asyncio.Future[Lane]) -> None:
        """Leave the queue, or pass the lane on to the first one in it."""
        if not place.done() or place.cancelled():
            place.cancel()
            return
        lane = place.result()
        lane.abandon()
        while self._queue:
            first = self._queue.popleft()
            if not first.done():
                first.set_result(lane)
                return
        self._free.append(lane)

    def close(self) -> None:
        """End all threads when their work is done."""
        for lane in self._lanes:
            lane.close()
