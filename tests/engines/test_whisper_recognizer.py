"""The recogniser over any Whisper: when it decodes, what it tells, what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from parley.conversation.errors import EngineError, EngineTimeout
from parley.conversation.ports import Hypothesis, RecognitionRequest
from parley.engines.transcription import Passage
from parley.engines.whisper_recognizer import PAUSE_MS, WhisperLimits, WhisperRecognizer
from parley.inference.client import Deadlines
from tests.contract.recognizer_contract import RecognizerContract, SpokenUtterance, hypotheses_of
from tests.engines.test_sound_meter import tone
from tests.fakes.transcriber import FakeTranscriber, passage

RATE_HZ = 16000
REQUEST = RecognitionRequest("en", RATE_HZ)
QUIET = bytes(RATE_HZ * 2 * 300 // 1000)
"""Longer than PAUSE_MS."""
SPEECH = tone(600, -20)
SAID = "pay my bill"


@pytest.fixture
def transcriber() -> FakeTranscriber:
    return FakeTranscriber(passage(SAID))


@pytest.fixture
def recognizer(transcriber: FakeTranscriber) -> Iterator[WhisperRecognizer]:
    made = WhisperRecognizer(transcriber, WhisperLimits(slots=2))
    yield made
    made.close()


class TestWhisper(RecognizerContract):
    """The suite of every recogniser."""

    @pytest.fixture
    def utterance(self) -> SpokenUtterance:
        return SpokenUtterance(REQUEST, QUIET + SPEECH + QUIET, SAID)


class Line:
    """A caller whose audio the test gives piece by piece."""

    def __init__(self, recognizer: WhisperRecognizer, request: RecognitionRequest = REQUEST) -> None:
        self._audio: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._stream = recognizer.recognize(request, self._blocks())
        self.heard: list[Hypothesis] = []
        self._task = asyncio.create_task(self._listen())

    async def _blocks(self) -> AsyncIterator[bytes]:
        while (block := await self._audio.get()) is not None:
            yield block
            self._audio.task_done()
        self._audio.task_done()

    async def _listen(self) -> None:
        async for hypothesis in self._stream:
            self.heard.append(hypothesis)

    async def says(self, pcm: bytes) -> None:
        """Send audio and return when it has been taken."""
        for start in range(0, len(pcm), 1920):
            self._audio.put_nowait(pcm[start : start + 1920])
        # The last block is done when the next one is asked for.
        await asyncio.wait_for(self._audio.join(), 20)

    async def ends(self) -> Hypothesis:
        """End the utterance and return the final."""
        self._audio.put_nowait(None)
        await asyncio.wait_for(self._task, 20)
        return self.heard[-1]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


class TestWhenItDecodes:
    """Rarely: each decoding costs as much as a whole utterance."""

    async def test_silence_and_clicks_are_not_decoded(
        self, recognizer: WhisperRecognizer, transcriber: FakeTranscriber
    ) -> None:
        for pcm in (b"", QUIET, tone(20, -10) + QUIET):
            [final] = await hypotheses_of(recognizer, REQUEST, pcm)
            assert (final.text, final.rejected) == ("", True)
        assert transcriber.clips_ms == []

    async def test_final_is_that_of_the_pause_when_nothing_was_said_since(
        self, recognizer: WhisperRecognizer, transcriber: FakeTranscriber
    ) -> None:
        line = Line(recognizer)
        await line.says(SPEECH + QUIET)
        await until(lambda: recognizer.in_use == 0)
        await line.says(QUIET)
        assert (await line.ends()).text == SAID
        [clip_ms] = transcriber.clips_ms
        assert 600 + PAUSE_MS <= clip_ms <= 900

    async def test_final_waits_for_the_decoding_of_the_pause_that_is_under_way(self) -> None:
        transcriber = FakeTranscriber(passage(SAID), held=True)
        recognizer = WhisperRecognizer(transcriber, WhisperLimits(slots=2))
        line = Line(recognizer)
        await line.says(SPEECH + QUIET)
        ending = asyncio.create_task(line.ends())
        await asyncio.sleep(0)
        transcriber.go_on.set()
        assert (await ending).text == SAID
        assert len(transcriber.clips_ms) == 1
        recognizer.close()

    async def test_words_after_the_pause_are_in_the_final(self) -> None:
        transcriber = FakeTranscriber(passage("pay"), passage(SAID))
        recognizer = WhisperRecognizer(transcriber, WhisperLimits(slots=1))
        line = Line(recognizer)
        await line.says(SPEECH + QUIET)
        await until(lambda: recognizer.in_use == 0)
        await line.says(SPEECH)
        assert (await line.ends()).text == SAID
        assert len(transcriber.clips_ms) == 2
        assert transcriber.clips_ms[1] == 1500
        recognizer.close()

    async def test_one_slot_is_kept_from_partials(self, transcriber: FakeTranscriber) -> None:
        recognizer = WhisperRecognizer(transcriber, WhisperLimits(slots=1, partial_ms=100))
        line = Line(recognizer)
        await line.says(SPEECH * 3)
        assert transcriber.clips_ms == []
        assert (await line.ends()).text == SAID
        recognizer.close()


class TestPartials:
    """What two decodings agree on, once each."""

    async def test_partials_grow_to_what_two_decodings_agree_on(self) -> None:
        says = [passage(text) for text in ("I want", "I want to play", "I want to pay my", "I want to pay my bill")]
        transcriber = FakeTranscriber(*says)
        recognizer = WhisperRecognizer(transcriber, WhisperLimits(slots=2, partial_ms=500))
        line = Line(recognizer)
        for _ in says:
            await line.says(SPEECH)
            await until(lambda: recognizer.in_use == 0)
        final = await line.ends()
        assert [partial.text for partial in line.heard[:-1]] == ["I want", "I want to"]
        assert final.text == "I want to pay my bill"
        recognizer.close()

    async def test_what_is_made_up_is_no_partial(self) -> None:
        transcriber = FakeTranscriber(passage("thanks for watching"))
        recognizer = WhisperRecognizer(transcriber, WhisperLimits(slots=2, partial_ms=200))
        line = Line(recognizer)
        for _ in range(4):
            await line.says(SPEECH)
            await until(lambda: recognizer.in_use == 0)
        final = await line.ends()
        assert line.heard == [final]
        assert (final.text, final.rejected) == ("", True)
        recognizer.close()


class TestFinals:
    """What the conversation gets."""

    async def test_words_come_with_times_and_confidence(self, recognizer: WhisperRecognizer) -> None:
        final = (await hypotheses_of(recognizer, REQUEST, SPEECH))[-1]
        assert [(word.text, word.start_ms, word.end_ms) for word in final.words] == [
            ("pay", 0, 300),
            ("my", 300, 600),
            ("bill", 600, 900),
        ]
        assert final.confidence == pytest.approx(0.9)

    async def test_telephone_audio_is_brought_to_whispers_rate(
        self, recognizer: WhisperRecognizer, transcriber: FakeTranscriber
    ) -> None:
        await hypotheses_of(recognizer, RecognitionRequest("zh", 8000), SPEECH)
        assert transcriber.clips_ms[-1] == pytest.approx(1202, abs=3)
        assert transcriber.languages[-1] == "zh"

    @pytest.mark.parametrize(
        "made_up", [passage("thank you", no_speech_probability=0.5), passage("la la la", compression_ratio=4.0)]
    )
    async def test_made_up_final_is_rejected(self, made_up: Passage) -> None:
        recognizer = WhisperRecognizer(FakeTranscriber(made_up), WhisperLimits(slots=1))
        final = (await hypotheses_of(recognizer, REQUEST, SPEECH))[-1]
        assert (final.text, final.rejected) == ("", True)
        recognizer.close()

    async def test_rate_that_no_call_has_is_an_engine_error(self, recognizer: WhisperRecognizer) -> None:
        with pytest.raises(EngineError, match="8000 or 16000"):
            await hypotheses_of(recognizer, RecognitionRequest("en", 44100), b"")


class TestOverload:
    """Deadlines hold, and what failed leaves nothing behind."""

    async def test_final_that_is_late_is_a_time_out(self) -> None:
        transcriber = FakeTranscriber(passage(SAID), held=True)
        recognizer = WhisperRecognizer(transcriber, WhisperLimits(slots=1, final_s=0.01))
        with pytest.raises(EngineTimeout):
            await hypotheses_of(recognizer, REQUEST, SPEECH)
        transcriber.go_on.set()
        await until(lambda: recognizer.in_use == 0)
        recognizer.close()

    async def test_runtime_that_fails_on_one_utterance_serves_the_next(self) -> None:
        recognizer = WhisperRecognizer(FakeTranscriber(EngineError("broken"), passage(SAID)), WhisperLimits(slots=1))
        with pytest.raises(EngineError, match="broken"):
            await hypotheses_of(recognizer, REQUEST, SPEECH)
        assert (await hypotheses_of(recognizer, REQUEST, SPEECH))[-1].text == SAID
        recognizer.close()

    async def test_many_callers_at_once_all_get_their_finals(self, recognizer: WhisperRecognizer) -> None:
        heard = await asyncio.gather(*(hypotheses_of(recognizer, REQUEST, SPEECH + QUIET) for _ in range(12)))
        assert [hypotheses[-1].text for hypotheses in heard] == [SAID] * 12
        assert recognizer.in_use == 0

    async def test_warm_recognizer_has_loaded_its_model(
        self, recognizer: WhisperRecognizer, transcriber: FakeTranscriber
    ) -> None:
        await recognizer.warm_up()
        assert (transcriber.loads, transcriber.clips_ms) == (1, [1000])


def test_finals_are_given_up_before_the_client_gives_them_up() -> None:
    assert WhisperLimits().final_s < Deadlines().final_s
