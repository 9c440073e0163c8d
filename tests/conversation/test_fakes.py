"""The fakes of the engine ports keep their ports' contracts."""

from collections.abc import Callable

import pytest

from parley.conversation.errors import EngineUnavailable
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
from tests.contract.chat_model_contract import ChatModelContract
from tests.contract.recognizer_contract import FailingRecognizerContract, RecognizerContract, SpokenUtterance
from tests.contract.synthesizer_contract import FailingSynthesizerContract, SynthesizerContract
from tests.contract.voice_detector_contract import Sounds, VoiceDetectorContract
from tests.fakes.chat_model import FakeChatModel
from tests.fakes.clock import FakeClock
from tests.fakes.recognizer import FakeRecognizer, Hears
from tests.fakes.synthesizer import FakeSynthesizer
from tests.fakes.voice_detector import FakeVoiceDetector

GONE = EngineUnavailable("the worker is gone")


class AttentiveRecognizer(FakeRecognizer):
    """Hears `sales` in any audio, and nothing in none."""

    def final(self, heard: Hears, pcm: bytes) -> Hypothesis:
        """Answer by the audio."""
        return Hypothesis("sales" if pcm else "", final=True, confidence=0.9)


class TestFakeRecognizer(RecognizerContract, FailingRecognizerContract):
    """Against the suite."""

    @pytest.fixture
    def recognizer(self) -> FakeRecognizer:
        return AttentiveRecognizer()

    @pytest.fixture
    def failing_recognizer(self) -> FakeRecognizer:
        return FakeRecognizer(Hears(error=GONE))

    @pytest.fixture
    def utterance(self) -> SpokenUtterance:
        return SpokenUtterance(RecognitionRequest("en", 8000), b"\x00\x10" * 8000, "sales")

    @pytest.fixture
    def in_use(self, recognizer: FakeRecognizer) -> Callable[[], int]:
        return lambda: recognizer.open


class TestFakeVoiceDetector(VoiceDetectorContract):
    """Against the suite."""

    @pytest.fixture
    def detector(self) -> FakeVoiceDetector:
        return FakeVoiceDetector(lambda pcm: b"v" in pcm)

    @pytest.fixture
    def sounds(self) -> Sounds:
        return Sounds(8000, voice=b"v" * 16000, noise=b"n" * 16000)

    @pytest.fixture
    def in_use(self, detector: FakeVoiceDetector) -> Callable[[], int]:
        return lambda: detector.open


class TestFakeSynthesizer(SynthesizerContract, FailingSynthesizerContract):
    """Against the suite."""

    @pytest.fixture(params=[False, True], ids=["plain", "aligned"])
    def synthesizer(self, request: pytest.FixtureRequest) -> FakeSynthesizer:
        return FakeSynthesizer(align=request.param)

    @pytest.fixture
    def failing_synthesizer(self) -> FakeSynthesizer:
        return FakeSynthesizer(errors=[GONE])

    @pytest.fixture
    def sentence(self) -> SpeechRequest:
        return SpeechRequest("how can I help you", "en", "", 8000)

    @pytest.fixture
    def in_use(self, synthesizer: FakeSynthesizer) -> Callable[[], int]:
        return lambda: synthesizer.open


class TestFakeChatModel(ChatModelContract):
    """Against the suite."""

    @pytest.fixture
    def chat_model(self) -> FakeChatModel:
        return FakeChatModel(*["On Thursday at ten"] * 10)

    @pytest.fixture
    def chat(self) -> ChatRequest:
        return REQUEST

    @pytest.fixture
    def in_use(self, chat_model: FakeChatModel) -> Callable[[], int]:
        return lambda: chat_model.open


REQUEST = ChatRequest((ChatMessage("user", "book a table"),))


async def test_chat_model_replies_word_by_word_and_tells_its_cost_last() -> None:
    model = FakeChatModel("Which day please")
    pieces = [piece async for piece in model.complete(REQUEST)]
    assert "".join(piece.text for piece in pieces if isinstance(piece, TextDelta)) == "Which day please"
    assert pieces[-1] == ChatUsage(prompt_tokens=3, completion_tokens=3)
    assert model.open == 0


async def test_chat_model_calls_tools_and_fails_when_told() -> None:
    model = FakeChatModel(ToolCall("book", "{}"), GONE)
    assert await anext(model.complete(REQUEST)) == ToolCall("book", "{}")
    with pytest.raises(EngineUnavailable):
        _ = [piece async for piece in model.complete(REQUEST)]


async def test_closing_the_chat_stream_frees_the_model() -> None:
    model = FakeChatModel("one two three")
    stream = model.complete(REQUEST)
    assert await anext(stream) == TextDelta("one")
    await stream.aclose()
    assert model.open == 0


async def test_clock_goes_only_when_wound() -> None:
    clock = FakeClock(started_at=100.0)
    assert (clock.monotonic(), clock.time()) == (0.0, 100.0)
    clock.wind(1500)
    assert (clock.monotonic(), clock.time()) == (1.5, 101.5)
