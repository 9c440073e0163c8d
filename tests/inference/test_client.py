"""The remote engines behave as engines do; their deadlines and errors."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import grpc.aio
import pytest
import pytest_asyncio

from parley.conversation.errors import EngineError, EngineMissing, EngineTimeout, EngineUnavailable
from parley.conversation.ports import (
    ChatMessage,
    ChatRequest,
    ChatUsage,
    Hypothesis,
    RecognitionRequest,
    SpeechRequest,
    TextDelta,
    ToolCall,
)
from parley.inference.client import Deadlines, RemoteChatModel, RemoteRecognizer, RemoteSynthesizer, open_channel
from parley.inference.registry import Engines
from tests.contract.recognizer_contract import (
    FailingRecognizerContract,
    RecognizerContract,
    SpokenUtterance,
    hypotheses_of,
)
from tests.contract.synthesizer_contract import FailingSynthesizerContract, SynthesizerContract, chunks_of
from tests.fakes.chat_model import FakeChatModel
from tests.fakes.recognizer import FakeRecognizer, Hears
from tests.fakes.synthesizer import FakeSynthesizer
from tests.inference.worker_bench import served

ENGLISH = RecognitionRequest("en", 8000)
SENTENCE = SpeechRequest("good morning to you", "en", "", 8000)
SHORT = Deadlines(final_s=0.05, first_speech_s=0.05, first_text_s=0.05)


class HearsWhatIsLoud(FakeRecognizer):
    """Says `hello` to any audio and nothing to none."""

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncGenerator[Hypothesis]:
        self.open += 1
        try:
            blocks = [block async for block in audio]
            yield Hypothesis("hello" if blocks else "", final=True, confidence=0.5, rejected=not blocks)
        finally:
            self.open -= 1


@pytest.fixture
def utterance() -> SpokenUtterance:
    return SpokenUtterance(ENGLISH, b"\x01\x00" * 4000, "hello")


@pytest.fixture
def sentence() -> SpeechRequest:
    return SENTENCE


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the other side of the wire has noticed."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


class TestRemoteRecognizer(RecognizerContract):
    @pytest_asyncio.fixture
    async def recognizer(self) -> AsyncIterator[RemoteRecognizer]:
        async with served(Engines(recognizers={"fake": HearsWhatIsLoud()})) as channel:
            yield RemoteRecognizer(channel)


class TestRemoteSynthesizer(SynthesizerContract):
    @pytest_asyncio.fixture
    async def synthesizer(self) -> AsyncIterator[RemoteSynthesizer]:
        async with served(Engines(synthesizers={"fake": FakeSynthesizer(align=True)})) as channel:
            yield RemoteSynthesizer(channel)


@pytest_asyncio.fixture
async def nobody() -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel to a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with open_channel(f"127.0.0.1:{free.getsockname()[1]}") as channel:
            yield channel


class TestRecognizerWithoutWorker(FailingRecognizerContract):
    @pytest.fixture
    def failing_recognizer(self, nobody: grpc.aio.Channel) -> RemoteRecognizer:
        return RemoteRecognizer(nobody)


class TestSynthesizerWithoutWorker(FailingSynthesizerContract):
    @pytest.fixture
    def failing_synthesizer(self, nobody: grpc.aio.Channel) -> RemoteSynthesizer:
        return RemoteSynthesizer(nobody)


async def test_absent_worker_is_unavailable_at_once(nobody: grpc.aio.Channel) -> None:
    async with asyncio.timeout(2):
        with pytest.raises(EngineUnavailable):
            await chunks_of(RemoteSynthesizer(nobody), SENTENCE)


async def test_request_and_audio_reach_the_engine_whole() -> None:
    engine = FakeRecognizer(Hears("one two", confidence=0.75, partials=("one",)))
    request = RecognitionRequest("en", 8000, engine="fake", grammar="#JSGF V1.0; grammar g; public <g> = one two;")
    pcm = bytes(range(256)) * 25
    async with served(Engines(recognizers={"fake": engine})) as channel:
        hypotheses = await hypotheses_of(RemoteRecognizer(channel), request, pcm)
    assert hypotheses == [Hypothesis("one", final=False), Hypothesis("one two", final=True, confidence=0.75)]
    assert engine.requests == [request]
    assert bytes(engine.audio[0]) == pcm


async def test_unknown_engine_is_missing() -> None:
    async with served(Engines(recognizers={"fake": FakeRecognizer()})) as channel:
        with pytest.raises(EngineMissing, match="no recognizer named 'whisper'"):
            await hypotheses_of(RemoteRecognizer(channel), RecognitionRequest("en", 8000, engine="whisper"), b"")


@pytest.mark.parametrize("kind", [EngineError, EngineMissing, EngineTimeout, EngineUnavailable])
async def test_engines_error_arrives_as_the_same_kind_with_its_message(kind: type[EngineError]) -> None:
    engines = Engines(
        recognizers={"fake": FakeRecognizer(Hears(error=kind("the model is broken")))},
        synthesizers={"fake": FakeSynthesizer(errors=[kind("the voice is broken")], error_after_words=1)},
        chat_models={"fake": FakeChatModel(kind("the model is broken"))},
    )
    async with served(engines) as channel:
        with pytest.raises(kind, match="the model is broken"):
            await hypotheses_of(RemoteRecognizer(channel), ENGLISH, b"\0\0" * 800)
        with pytest.raises(kind, match="the voice is broken"):
            await chunks_of(RemoteSynthesizer(channel), SENTENCE)
        with pytest.raises(kind, match="the model is broken"):
            _ = [piece async for piece in RemoteChatModel(channel).complete(ChatRequest(()))]


@pytest.mark.parametrize("attempt", range(10))
async def test_error_while_the_caller_is_still_speaking_keeps_its_kind(attempt: int) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"\0\0" * 800
            await asyncio.sleep(0)

    engine = FakeRecognizer(Hears(error=EngineMissing("no model"), error_at_block=attempt))
    async with served(Engines(recognizers={"fake": engine})) as channel:
        async with asyncio.timeout(5):
            with pytest.raises(EngineMissing, match="no model"):
                _ = [heard async for heard in RemoteRecognizer(channel).recognize(ENGLISH, endless())]
        assert engine.open == 0


async def test_final_overdue_after_the_end_of_the_audio_is_a_timeout_and_frees_the_engine() -> None:
    engine = FakeRecognizer(Hears(hangs=True))
    async with served(Engines(recognizers={"fake": engine})) as channel:
        with pytest.raises(EngineTimeout, match="no final hypothesis"):
            await hypotheses_of(RemoteRecognizer(channel, SHORT), ENGLISH, b"\0\0" * 800)
        await eventually(lambda: engine.open == 0)


async def test_final_deadline_does_not_run_while_the_caller_is_speaking() -> None:
    async def slow_speech() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(SHORT.final_s)
            yield b"\0\0" * 80

    async with served(Engines(recognizers={"fake": FakeRecognizer("yes")})) as channel:
        hypotheses = [heard async for heard in RemoteRecognizer(channel, SHORT).recognize(ENGLISH, slow_speech())]
    assert hypotheses[-1].text == "yes"


async def test_engine_that_gives_nothing_is_a_timeout() -> None:
    engine = FakeSynthesizer(hangs=True)
    async with served(Engines(synthesizers={"fake": engine})) as channel:
        with pytest.raises(EngineTimeout, match="nothing within"):
            await chunks_of(RemoteSynthesizer(channel, SHORT), SENTENCE)
        await eventually(lambda: engine.open == 0)


async def test_error_of_the_audio_itself_comes_out_unchanged() -> None:
    class MicrophoneBroken(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield b"\0\0"
        raise MicrophoneBroken

    engine = FakeRecognizer("yes")
    async with served(Engines(recognizers={"fake": engine})) as channel:
        with pytest.raises(MicrophoneBroken):
            _ = [heard async for heard in RemoteRecognizer(channel).recognize(ENGLISH, broken())]
        await eventually(lambda: engine.open == 0)


async def test_closing_in_the_middle_frees_the_engine_at_the_worker() -> None:
    recognizer, synthesizer = FakeRecognizer(Hears(partials=("one", "two"))), FakeSynthesizer()
    engines = Engines(recognizers={"fake": recognizer}, synthesizers={"fake": synthesizer})

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"\0\0" * 80
            await asyncio.sleep(0.01)

    async with served(engines) as channel:
        hearing = RemoteRecognizer(channel).recognize(ENGLISH, endless())
        assert (await anext(hearing)).text == "one"
        assert recognizer.open == 1
        await hearing.aclose()
        speaking = RemoteSynthesizer(channel).synthesize(SENTENCE)
        await anext(speaking)
        await speaking.aclose()
        await eventually(lambda: recognizer.open == synthesizer.open == 0)


async def test_word_times_arrive_with_the_audio() -> None:
    async with served(Engines(synthesizers={"fake": FakeSynthesizer(ms_per_word=100, align=True)})) as channel:
        chunks = await chunks_of(RemoteSynthesizer(channel), SENTENCE)
    words = [word for chunk in chunks for word in chunk.alignment]
    assert [word.text for word in words] == ["good", "morning", "to", "you"]
    assert words[-1].end_samples == 3200


async def test_reply_arrives_piece_by_piece_with_tool_calls_and_usage() -> None:
    engine = FakeChatModel("good morning", ToolCall("book", "{}"))
    request = ChatRequest((ChatMessage("user", "hello there"),), max_tokens=5, json_schema="{}")
    async with served(Engines(chat_models={"fake": engine})) as channel:
        model = RemoteChatModel(channel)
        reply = [piece async for piece in model.complete(request)]
        call = [piece async for piece in model.complete(request)]
    assert reply == [TextDelta("good"), TextDelta(" morning"), ChatUsage(2, 2)]
    assert call[0] == ToolCall("book", "{}")
    assert engine.requests[0] == request
