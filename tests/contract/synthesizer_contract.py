"""What every Synthesizer must do: the fake, the engines and the client of the worker pass it.

Subclass in a test module and give the fixtures `synthesizer` and `sentence`; pytest collects the inherited tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from parley.conversation.errors import EngineError
from parley.conversation.ports import SpeechChunk, SpeechRequest, Synthesizer

PATIENCE_S = 20.0
"""An engine that takes longer hangs. Real time: engines are real."""


async def chunks_of(synthesizer: Synthesizer, request: SpeechRequest) -> list[SpeechChunk]:
    """Have one sentence spoken."""
    async with asyncio.timeout(PATIENCE_S):
        return [chunk async for chunk in synthesizer.synthesize(request)]


class SynthesizerContract:
    """The suite. Needs the fixtures `synthesizer` and `sentence`, a request of at least three words."""

    @pytest.fixture
    def in_use(self) -> Callable[[], int] | None:
        """Override to tell how many sentences hold an engine now; None where that cannot be seen."""
        return None

    async def test_sentence_becomes_audio_at_the_rate_asked_for(
        self, synthesizer: Synthesizer, sentence: SpeechRequest
    ) -> None:
        """Whole samples, some of them audible, of a length that people speak in."""
        pcm = b"".join(chunk.pcm for chunk in await chunks_of(synthesizer, sentence))
        assert len(pcm) % 2 == 0
        words_per_s = len(sentence.text.split()) / (len(pcm) / 2 / sentence.rate_hz)
        assert 0.8 <= words_per_s <= 8
        assert max(abs(sample) for sample in memoryview(pcm).cast("h")) > 500

    async def test_other_rate_changes_the_number_of_samples_not_the_duration(
        self, synthesizer: Synthesizer, sentence: SpeechRequest
    ) -> None:
        """8 and 16 kHz are the rates of calls."""
        seconds = []
        for rate_hz in (8000, 16000):
            request = SpeechRequest(sentence.text, sentence.language, sentence.voice, rate_hz, sentence.engine)
            pcm = b"".join(chunk.pcm for chunk in await chunks_of(synthesizer, request))
            seconds.append(len(pcm) / 2 / rate_hz)
        assert seconds[0] == pytest.approx(seconds[1], rel=0.05)

    async def test_word_times_ascend_within_the_sentence(
        self, synthesizer: Synthesizer, sentence: SpeechRequest
    ) -> None:
        """They are optional; where given they can be trusted."""
        chunks = await chunks_of(synthesizer, sentence)
        samples = sum(len(chunk.pcm) // 2 for chunk in chunks)
        times = [time for chunk in chunks for time in chunk.alignment]
        starts = [time.start_samples for time in times]
        assert starts == sorted(starts)
        assert all(0 <= time.start_samples <= time.end_samples <= samples for time in times)

    async def test_two_sentences_at_the_same_time_do_not_mix(
        self, synthesizer: Synthesizer, sentence: SpeechRequest
    ) -> None:
        """Two calls speak at once."""
        one = chunks_of(synthesizer, sentence)
        other = chunks_of(synthesizer, sentence)
        first, second = await asyncio.gather(one, other)
        assert sum(len(chunk.pcm) for chunk in first) == pytest.approx(
            sum(len(chunk.pcm) for chunk in second), rel=0.05
        )

    async def test_closing_the_iterator_early_frees_the_engine(
        self, synthesizer: Synthesizer, sentence: SpeechRequest, in_use: Callable[[], int] | None
    ) -> None:
        """The caller interrupts; the next sentence must be spoken."""
        for _ in range(3):
            stream = synthesizer.synthesize(sentence)
            assert isinstance(stream, AsyncGenerator), "streams can be closed"
            async with asyncio.timeout(PATIENCE_S):
                await anext(stream)
                await stream.aclose()
                await stream.aclose()
        assert in_use is None or in_use() == 0
        assert await chunks_of(synthesizer, sentence)

    async def test_cancelling_frees_the_engine(
        self, synthesizer: Synthesizer, sentence: SpeechRequest, in_use: Callable[[], int] | None
    ) -> None:
        """The caller hangs up before the first sample."""
        for _ in range(3):
            speaker = asyncio.create_task(chunks_of(synthesizer, sentence))
            await asyncio.sleep(0)
            speaker.cancel()
            await asyncio.gather(speaker, return_exceptions=True)
        assert in_use is None or in_use() == 0
        assert await chunks_of(synthesizer, sentence)


class FailingSynthesizerContract:
    """For a synthesiser that cannot work (no voice, worker gone). Needs `failing_synthesizer` and `sentence`."""

    async def test_failure_is_of_the_engine_error_family(
        self, failing_synthesizer: Synthesizer, sentence: SpeechRequest
    ) -> None:
        """No runtime's or transport's own error comes through the port."""
        with pytest.raises(EngineError) as failure:
            await chunks_of(failing_synthesizer, sentence)
        assert failure.value.code.startswith("engine")
