"""A language model that replies what the test says."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from parley.conversation.errors import EngineError
from parley.conversation.ports import ChatRequest, ChatUsage, TextDelta, ToolCall
from tests.fakes.clock import FakeClock


class FakeChatModel:
    """ChatModel with a list of replies; after its end it has nothing to say."""

    def __init__(
        self, *replies: str | ToolCall | EngineError, delay_ms: int = 0, clock: FakeClock | None = None
    ) -> None:
        """Prepare to reply.

        replies: one for each request; text comes word by word.   delay_ms: before the first word; needs the clock.
        """
        self._replies = replies
        self._delay_ms = delay_ms
        self._clock = clock or FakeClock()
        self.requests: list[ChatRequest] = []
        """One for each completion that was begun."""
        self.open = 0
        """Completions that hold an engine now."""

    async def complete(self, request: ChatRequest) -> AsyncGenerator[TextDelta | ToolCall | ChatUsage]:
        """Yield the next reply, then its usage."""
        reply = self._replies[len(self.requests)] if len(self.requests) < len(self._replies) else ""
        self.requests.append(request)
        self.open += 1
        try:
            await self._clock.passes(self._delay_ms)
            if isinstance(reply, EngineError):
                raise reply
            if isinstance(reply, ToolCall):
                yield reply
                yield ChatUsage(prompt_tokens=_words(request), completion_tokens=1)
                return
            words = reply.split()
            for index, word in enumerate(words):
                yield TextDelta(word if index == 0 else f" {word}")
            yield ChatUsage(prompt_tokens=_words(request), completion_tokens=len(words))
        finally:
            self.open -= 1


def _words(request: ChatRequest) -> int:
    return sum(len(message.content.split()) for message in request.messages)
