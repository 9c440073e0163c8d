"""An utterance's audio that is read while the utterance waits for a decoder, to be caught up with afterwards."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from parley.conversation.errors import EngineUnavailable


class Backlog:
    """Reads ahead in an utterance's audio; as an iterator it gives all of it in order, then what follows."""

    def __init__(self, audio: AsyncIterator[bytes], max_bytes: int) -> None:
        """Prepare; nothing is read yet.   max_bytes: of audio read ahead."""
        self._audio = audio
        self._blocks: deque[bytes] = deque()
        self._room = max_bytes
        self._ended = False

    async def read_until(self, ready: Callable[[], bool]) -> None:
        """Read until somebody is ready to listen (looked at after each block) or the utterance has ended.

        Raises EngineUnavailable when there is too much to be caught up with, and what the audio raises.
        """
        while not ready() and not self._ended:
            block = await self._next()
            if block is None:
                continue
            self._blocks.append(block)
            self._room -= len(block)
            if self._room < 0:
                raise EngineUnavailable("no decoder got free before the utterance was too long to be caught up with")

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Yield every block once."""
        while self._blocks:
            yield self._blocks.popleft()
        while not self._ended:
            block = await self._next()
            if block is not None:
                yield block

    async def _next(self) -> bytes | None:
        """Return the next block; None at the end, which is never asked for twice: an ended stream may hang then."""
        try:
            return await anext(self._audio)
        except StopAsyncIteration:
            self._ended = True
            return None
