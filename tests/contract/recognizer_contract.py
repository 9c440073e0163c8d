"""What every Recognizer must do: the fake, the engines and the client of the worker pass it.

Subclass in a test module and say what is recognised; pytest collects the inherited tests:

    class TestPocketSphinx(RecognizerContract):
        @pytest.fixture
        def recognizer(self) -> Recognizer: ...
        @pytest.fixture
        def utterance(self) -> SpokenUtterance: ...
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from parley.conversation.errors import EngineError
from parley.conversation.ports import Hypothesis, RecognitionRequest, Recognizer

PATIENCE_S = 20.0
"""An engine that takes longer hangs. Real time: engines are real."""


@dataclass(frozen=True, slots=True)
class SpokenUtterance:
    """Something said, and how to ask for it."""

    request: RecognitionRequest
    pcm: bytes
    text: str
    """What is recognised in it."""


class SpokenBlocks:
    """Audio in blocks of 60 ms, as the conversation gives it."""

    def __init__(self, pcm: bytes, rate_hz: int, *, endless: bool = False) -> None:
        """endless: after the audio wait for ever, as when the caller goes on thinking."""
        size = rate_hz * 60 // 1000 * 2
        self._blocks = [pcm[start : start + size] for start in range(0, len(pcm), size)]
        self._endless = endless
        self.exhausted = asyncio.Event()
        """All of it was taken."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The port asks for an iterator."""
        return self

    async def __anext__(self) -> bytes:
        """Give the next block."""
        await asyncio.sleep(0)
        if self._blocks:
            return self._blocks.pop(0)
        self.exhausted.set()
        if self._endless:
            await asyncio.Event().wait()
        raise StopAsyncIteration


async def hypotheses_of(recognizer: Recognizer, request: RecognitionRequest, pcm: bytes) -> list[Hypothesis]:
    """Have one utterance recognised."""
    async with asyncio.timeout(PATIENCE_S):
        stream = recognizer.recognize(request, SpokenBlocks(pcm, request.rate_hz))
        return [hypothesis async for hypothesis in stream]


class RecognizerContract:
    """The suite. Needs the fixtures `recognizer` and `utterance`."""

    @pytest.fixture
    def in_use(self) -> Callable[[], int] | None:
        """Override to tell how many utterances hold an engine now; None where that cannot be seen."""
        return None

    async def test_utterance_ends_with_exactly_one_final(
        self, recognizer: Recognizer, utterance: SpokenUtterance
    ) -> None:
        """Partials may come before it, nothing after it."""
        hypotheses = await hypotheses_of(recognizer, utterance.request, utterance.pcm)
        assert [hypothesis.final for hypothesis in hypotheses] == [False] * (len(hypotheses) - 1) + [True]
        assert hypotheses[-1].text == utterance.text
        assert not hypotheses[-1].rejected
        assert 0.0 <= hypotheses[-1].confidence <= 1.0

    async def test_empty_audio_gives_a_final_without_words(
        self, recognizer: Recognizer, utterance: SpokenUtterance
    ) -> None:
        """The caller's voice was a false alarm."""
        hypotheses = await hypotheses_of(recognizer, utterance.request, b"")
        assert [hypothesis.final for hypothesis in hypotheses] == [True]
        assert hypotheses[0].rejected or not hypotheses[0].text

    async def test_utterances_one_after_the_other_do_not_mix(
        self, recognizer: Recognizer, utterance: SpokenUtterance
    ) -> None:
        """An engine is used again."""
        for _ in range(2):
            hypotheses = await hypotheses_of(recognizer, utterance.request, utterance.pcm)
            assert hypotheses[-1].text == utterance.text

    async def test_utterances_at_the_same_time_do_not_mix(
        self, recognizer: Recognizer, utterance: SpokenUtterance
    ) -> None:
        """Two callers speak at once."""
        spoken, silent = await asyncio.gather(
            hypotheses_of(recognizer, utterance.request, utterance.pcm),
            hypotheses_of(recognizer, utterance.request, b""),
        )
        assert spoken[-1].text == utterance.text
        assert silent[-1].rejected or not silent[-1].text

    async def test_cancelling_in_mid_utterance_frees_the_engine(
        self, recognizer: Recognizer, utterance: SpokenUtterance, in_use: Callable[[], int] | None
    ) -> None:
        """The caller hangs up while speaking; the next caller must be served."""
        for _ in range(3):
            blocks = SpokenBlocks(utterance.pcm, utterance.request.rate_hz, endless=True)
            listener = asyncio.create_task(_drain(recognizer.recognize(utterance.request, blocks)))
            async with asyncio.timeout(PATIENCE_S):
                await blocks.exhausted.wait()
            listener.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listener
        assert in_use is None or in_use() == 0
        hypotheses = await hypotheses_of(recognizer, utterance.request, utterance.pcm)
        assert hypotheses[-1].text == utterance.text

    async def test_closing_the_iterator_at_once_frees_the_engine(
        self, recognizer: Recognizer, utterance: SpokenUtterance, in_use: Callable[[], int] | None
    ) -> None:
        """Nobody asked for the first hypothesis."""
        stream = recognizer.recognize(utterance.request, SpokenBlocks(utterance.pcm, utterance.request.rate_hz))
        assert isinstance(stream, AsyncGenerator), "streams can be closed"
        await stream.aclose()
        await stream.aclose()
        assert in_use is None or in_use() == 0


class FailingRecognizerContract:
    """For a recogniser that cannot work (no model, worker gone). Needs `failing_recognizer` and `utterance`."""

    async def test_failure_is_of_the_engine_error_family(
        self, failing_recognizer: Recognizer, utterance: SpokenUtterance
    ) -> None:
        """No runtime's or transport's own error comes through the port."""
        with pytest.raises(EngineError) as failure:
            await hypotheses_of(failing_recognizer, utterance.request, utterance.pcm)
        assert failure.value.code.startswith("engine")


async def _drain(stream: AsyncIterator[Hypothesis]) -> None:
    async for _ in stream:
        pass
