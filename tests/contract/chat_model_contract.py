"""What every ChatModel must do: the fake, the engines and the client of the worker pass it.

Subclass in a test module and give the fixtures `chat_model` and `chat`; pytest collects the inherited tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from parley.conversation.ports import ChatModel, ChatRequest, ChatUsage, TextDelta, ToolCall

PATIENCE_S = 20.0
"""An engine that takes longer hangs. Real time: engines are real."""


async def pieces_of(model: ChatModel, request: ChatRequest) -> list[TextDelta | ToolCall | ChatUsage]:
    """Have one reply made."""
    async with asyncio.timeout(PATIENCE_S):
        return [piece async for piece in model.complete(request)]


def text_of(pieces: list[TextDelta | ToolCall | ChatUsage]) -> str:
    """Return the text of a reply."""
    return "".join(piece.text for piece in pieces if isinstance(piece, TextDelta)).strip()


class ChatModelContract:
    """The suite. Needs the fixtures `chat_model` and `chat`, a request whose reply has at least three words."""

    @pytest.fixture
    def in_use(self) -> Callable[[], int] | None:
        """Override to tell how many replies hold an engine now; None where that cannot be seen."""
        return None

    async def test_reply_comes_in_pieces_and_its_usage_last(self, chat_model: ChatModel, chat: ChatRequest) -> None:
        pieces = await pieces_of(chat_model, chat)
        assert len([piece for piece in pieces if isinstance(piece, TextDelta)]) >= 3
        assert len(text_of(pieces).split()) >= 3
        assert isinstance(pieces[-1], ChatUsage)
        assert sum(isinstance(piece, ChatUsage) for piece in pieces) == 1

    async def test_two_replies_at_the_same_time_do_not_mix(self, chat_model: ChatModel, chat: ChatRequest) -> None:
        alone = text_of(await pieces_of(chat_model, chat))
        both = await asyncio.gather(pieces_of(chat_model, chat), pieces_of(chat_model, chat))
        assert [text_of(pieces) for pieces in both] == [alone, alone]

    async def test_closing_the_iterator_early_frees_the_engine(
        self, chat_model: ChatModel, chat: ChatRequest, in_use: Callable[[], int] | None
    ) -> None:
        """The caller goes on speaking; the next reply must be made."""
        for _ in range(3):
            stream = chat_model.complete(chat)
            assert isinstance(stream, AsyncGenerator), "streams can be closed"
            async with asyncio.timeout(PATIENCE_S):
                await anext(stream)
                await stream.aclose()
                await stream.aclose()
        assert in_use is None or in_use() == 0
        assert await pieces_of(chat_model, chat)

    async def test_cancelling_frees_the_engine(
        self, chat_model: ChatModel, chat: ChatRequest, in_use: Callable[[], int] | None
    ) -> None:
        """The caller hangs up before the first word."""
        for _ in range(3):
            reader = asyncio.create_task(pieces_of(chat_model, chat))
            await asyncio.sleep(0)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        assert in_use is None or in_use() == 0
        assert await pieces_of(chat_model, chat)
