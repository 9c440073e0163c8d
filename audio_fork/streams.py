"""A bounded queue between the media tick and one asynchronous reader.

The tick writes and never waits; a reader that lags loses the oldest items, and the loss is counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class DroppingStream(Generic[T]):
    """Asynchronous iterator over what `put()` gave it; ends after `close()` when everything was read.

    Cancelling a waiting reader loses nothing: the next `anext()` goes on where it stopped.
    """

    def __init__(self, max_items: int) -> None:
        """Keep at most `max_items` unread items."""
        self._items: deque[T] = deque()
        self._max_items = max_items
        self._waiter: asyncio.Future[None] | None = None
        self._reading = False
        self._closed = False
        self.dropped = 0
        """Items lost because the reader lagged; what nobody had begun to read is not counted."""

    def put(self, item: T) -> None:
        """Add an item; the oldest goes when there is no room. Does nothing after `close()`."""
        if self._closed:
            return
        if len(self._items) == self._max_items:
            self._items.popleft()
            self.dropped += self._reading
        self._items.append(item)
        self._wake()

    def close(self) -> None:
        """Let the reader end after the items already there. May be called twice."""
        self._closed = True
        self._wake()

    def __aiter__(self) -> DroppingStream[T]:
        """Return itself: there is one reader."""
        return self

    async def __anext__(self) -> T:
        """Return the next item, waiting for it."""
        self._reading = True
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
