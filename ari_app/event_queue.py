"""The bounded queue between the PBX's events and the application that consumes them.

`call_control` fills it from the WebSocket reader, which must never wait for a slow consumer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator

from parley.call_control import CallEvent, DigitReceived, LegAnswered, LegOffered, LegRinging

logger = logging.getLogger(__name__)

MAX_EVENTS = 10_000


def is_milestone(count: int) -> bool:
    """Tell whether a count is 1, 10, 100, …: what floods in is reported so often and no more."""
    return str(count).rstrip("0") == "1"


class EventQueue:
    """Events in order. Keys may fill half of it, offers and progress all of it, ends of legs twice as much.

    So an offer is lost before the end of a leg that somebody was told about: nobody would ever end its call.
    """

    def __init__(self, maxsize: int = MAX_EVENTS) -> None:
        self._maxsize = maxsize
        self._events: deque[CallEvent] = deque()
        self._news = asyncio.Event()
        self._closed = False
        self._failure: BaseException | None = None
        self.dropped = 0
        """Events lost because nobody consumed them."""

    def put(self, event: CallEvent) -> bool:
        """Append an event, or drop it and return False when there is no room for its kind; never waits."""
        if len(self._events) >= self._room_for(event):
            self.dropped += 1
            if is_milestone(self.dropped):
                waiting = len(self._events)
                logger.error("call events are not consumed", extra={"waiting": waiting, "dropped": self.dropped})
            return False
        self._events.append(event)
        self._news.set()
        return True

    def close(self, failure: BaseException | None = None) -> None:
        """End the iteration once everything in the queue was taken; with `failure`, raise it there."""
        self._closed = True
        self._failure = self._failure or failure
        self._news.set()

    def _room_for(self, event: CallEvent) -> int:
        match event:
            case DigitReceived():
                return self._maxsize // 2
            case LegOffered() | LegRinging() | LegAnswered():
                return self._maxsize
            case _:
                return 2 * self._maxsize

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
