"""The bounded queue between the PBX's events and the application that consumes them.

`call_control` fills it from the WebSocket reader, which must never wait for a slow consumer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator

from parley.call_control import CallEvent, DigitReceived

logger = logging.getLogger(__name__)

MAX_EVENTS = 10_000


class EventQueue:
    """Events in order. Keys may fill half of it; legs' events are dropped only when all of it is full."""

    def __init__(self, maxsize: int = MAX_EVENTS) -> None:
        self._maxsize = maxsize
        self._events: deque[CallEvent] = deque()
        self._news = asyncio.Event()
        self._closed = False
        self._failure: BaseException | None = None
        self.dropped = 0
        """Events lost because nobody consumed them."""

    def put(self, event: CallEvent) -> None:
        """Append an event, or drop it when the queue is full; never waits."""
        if len(self._events) >= (self._maxsize // 2 if isinstance(event, DigitReceived) else self._maxsize):
            if self.dropped == 0:
                logger.error("call events are not consumed; dropping", extra={"waiting": len(self._events)})
            self.dropped += 1
            return
        self._events.append(event)
        self._news.set()

    def close(self, failure: BaseException | None = None) -> None:
        """End the iteration once everything in the queue was taken; with `failure`, raise it there."""
        self._closed = True
        self._failure = self._failure or failure
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[CallEvent]:
        while True:
            while self._events:
                yield self._events.popleft()
            if self._closed:
                if self._failure is not None:
                    raise self._failure
                return
            self._news.clear()
            await self._news.wait()
