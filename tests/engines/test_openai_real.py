"""The client of OpenAI's chat protocol with a real server, llama.cpp's, and a model made for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

pytest.importorskip("gguf", reason="gguf is not installed: make test-models ENGINE=openai")

from parley.conversation.errors import EngineMissing
from parley.conversation.ports import ChatMessage, ChatRequest, ChatUsage, TextDelta, Tool
from parley.engines.openai_chat_model import OpenaiChatModel
from parley.inference.client import RemoteChatModel
from parley.inference.registry import Engines
from tests.contract.chat_model_contract import ChatModelContract, pieces_of, text_of
from tests.inference.worker_bench import served
from tests.support.canned_gguf import write_canned_gguf
from tests.support.llama_server import llama_server, needs_llama_server

pytestmark = [pytest.mark.models, needs_llama_server, pytest.mark.asyncio(loop_scope="module")]

REPLY = "Your appointment is booked for Thursday."
CHAT = ChatRequest((ChatMessage("system", "Be brief."), ChatMessage("user", "When, 您好?")), max_tokens=40)
KEY = "s3cret"
SCHEMA = '{"type": "object", "properties": {"day": {"enum": ["mon", "tue"]}}, "required": ["day"]}'
PATIENCE_S = 10.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    model = write_canned_gguf(tmp_path_factory.mktemp("models") / "canned.gguf", REPLY)
    async with llama_server(model, slots=2, api_key=KEY) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def chat_model(server: str) -> AsyncIterator[OpenaiChatModel]:
    model = OpenaiChatModel(f"{server}/v1", api_key=KEY)
    yield model
    await model.aclose()


async def busy_slots(server: str) -> int:
    """Return how many replies the server is making."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(f"{server}/slots") as answer:
        return sum(slot["is_processing"] for slot in await answer.json())


class TestLlamaServer(ChatModelContract):
    @pytest.fixture
    def chat(self) -> ChatRequest:
        return CHAT


class TestLlamaServerBehindTheWorker(ChatModelContract):
    @pytest_asyncio.fixture(loop_scope="module")
    async def chat_model(self, chat_model: OpenaiChatModel) -> AsyncIterator[RemoteChatModel]:
        async with served(Engines(chat_models={"openai": chat_model})) as channel:
            yield RemoteChatModel(channel)

    @pytest.fixture
    def chat(self) -> ChatRequest:
        return CHAT


async def test_reply_is_the_models_and_its_cost_is_told(chat_model: OpenaiChatModel) -> None:
    pieces = await pieces_of(chat_model, CHAT)
    assert text_of(pieces) == REPLY
    usage = pieces[-1]
    assert isinstance(usage, ChatUsage)
    assert usage.completion_tokens == len(REPLY.split()) + 1
    assert usage.prompt_tokens > 5


async def test_reply_satisfies_the_schema(chat_model: OpenaiChatModel) -> None:
    request = ChatRequest(CHAT.messages, max_tokens=400, json_schema=SCHEMA)
    assert json.loads(text_of(await pieces_of(chat_model, request)))["day"] in ("mon", "tue")


async def test_reply_satisfies_the_grammar(chat_model: OpenaiChatModel) -> None:
    request = ChatRequest(CHAT.messages, grammar='root ::= "yes" | "no"')
    assert text_of(await pieces_of(chat_model, request)) in ("yes", "no")


async def test_tools_are_accepted(chat_model: OpenaiChatModel) -> None:
    request = ChatRequest(CHAT.messages, tools=(Tool("book", "Books a day.", SCHEMA),))
    assert text_of(await pieces_of(chat_model, request)) == REPLY


async def test_closing_the_stream_stops_the_server_in_mid_reply(chat_model: OpenaiChatModel, server: str) -> None:
    endless = ChatRequest(CHAT.messages, max_tokens=1_000_000, grammar='root ::= "a" root')
    stream = chat_model.complete(endless)
    assert isinstance(stream, AsyncGenerator)
    async with asyncio.timeout(PATIENCE_S):
        assert isinstance(await anext(stream), TextDelta)
        assert await busy_slots(server) == 1
        await stream.aclose()
        while await busy_slots(server):
            await asyncio.sleep(0.02)


async def test_wrong_key_is_refused_and_the_setting_named(server: str) -> None:
    model = OpenaiChatModel(f"{server}/v1", api_key="wrong")
    with pytest.raises(EngineMissing, match="api_key_file"):
        await pieces_of(model, CHAT)
    await model.aclose()
