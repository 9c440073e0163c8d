"""faster-whisper itself, on canned models: everything but what it understands is as with real ones."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from parley.conversation.errors import EngineError, EngineMissing, EngineTimeout
from parley.conversation.ports import RecognitionRequest
from parley.engines.faster_whisper_model import FasterWhisper, FasterWhisperOptions
from parley.engines.whisper_recognizer import WhisperLimits, WhisperRecognizer
from tests.contract.recognizer_contract import (
    FailingRecognizerContract,
    RecognizerContract,
    SpokenUtterance,
    hypotheses_of,
)
from tests.engines.test_sound_meter import tone
from tests.support.canned_whisper import Canned, make_canned_whisper
from tests.support.engines import require_engine

require_engine("faster_whisper", "faster-whisper")

pytestmark = pytest.mark.models
in_one_loop = pytest.mark.asyncio(loop_scope="module")

SAID = "four seven one five zero eight"
REQUEST = RecognitionRequest("en", 8000)
SPEECH = tone(1300, -20)
"""2.6 s at 8 kHz: longer than the canned words take."""
QUIET = bytes(8000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_canned_whisper(tmp_path_factory.mktemp("whisper") / "canned", Canned(SAID))


def opened(folder: Path, *, slots: int = 2, final_s: float = 20.0, partial_ms: int = 1000) -> WhisperRecognizer:
    """The deadline is far: canned or not, the machine that tests run on may be slow."""
    limits = WhisperLimits(slots=slots, final_s=final_s, partial_ms=partial_ms)
    return WhisperRecognizer(FasterWhisper(FasterWhisperOptions(folder, slots=slots)), limits)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recognizer(folder: Path) -> AsyncIterator[WhisperRecognizer]:
    made = opened(folder)
    await made.warm_up()
    yield made
    made.close()


@in_one_loop
class TestFasterWhisper(RecognizerContract):
    """The suite of every recogniser."""

    @pytest.fixture
    def utterance(self) -> SpokenUtterance:
        return SpokenUtterance(REQUEST, QUIET + SPEECH + QUIET, SAID)


@in_one_loop
class TestFasterWhisperInALanguageThatTheModelLacks(FailingRecognizerContract):
    @pytest.fixture
    def utterance(self) -> SpokenUtterance:
        return SpokenUtterance(RecognitionRequest("zh", 8000), SPEECH, "")

    @pytest.fixture
    def failing_recognizer(self, recognizer: WhisperRecognizer) -> WhisperRecognizer:
        return recognizer

    async def test_message_says_what_to_do(self, recognizer: WhisperRecognizer, utterance: SpokenUtterance) -> None:
        with pytest.raises(EngineMissing, match=r"does not know language 'zh'.*multilingual"):
            await hypotheses_of(recognizer, utterance.request, utterance.pcm)


@in_one_loop
async def test_words_have_times_within_the_utterance(recognizer: WhisperRecognizer) -> None:
    final = (await hypotheses_of(recognizer, REQUEST, SPEECH))[-1]
    assert [word.text for word in final.words] == SAID.split()
    times = [time for word in final.words for time in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert times[-1] <= len(SPEECH) / 2 / 8
    assert final.words[1].start_ms == pytest.approx(300, abs=60)
    assert final.confidence > 0.9


@in_one_loop
async def test_partials_are_agreed_on_by_two_decodings(recognizer: WhisperRecognizer) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        """The decoder keeps up with a caller who waits for it."""
        for start in range(0, len(SPEECH) * 2, 960):
            yield (SPEECH * 2)[start : start + 960]
            while recognizer.in_use:
                await asyncio.sleep(0.001)

    heard = [hypothesis async for hypothesis in recognizer.recognize(REQUEST, slowly())]
    assert [(hypothesis.text, hypothesis.final) for hypothesis in heard] == [(SAID, False), (SAID, True)]


@in_one_loop
async def test_clip_shorter_than_the_words_times_keeps_its_words(recognizer: WhisperRecognizer) -> None:
    final = (await hypotheses_of(recognizer, REQUEST, tone(50, -20)))[-1]
    assert final.text == SAID


@in_one_loop
async def test_utterance_longer_than_whispers_window_is_decoded_in_parts(recognizer: WhisperRecognizer) -> None:
    final = (await hypotheses_of(recognizer, REQUEST, SPEECH * 11 + QUIET + SPEECH))[-1]
    assert final.text == f"{SAID} {SAID}"
    starts = [word.start_ms for word in final.words]
    assert starts == sorted(starts)
    assert 28_500 < starts[len(starts) // 2] < 29_200


@pytest.mark.parametrize(
    "canned",
    [Canned("you never said that", no_speech=True), Canned("nobody is sure of this", certainty=0.05)],
    ids=["no speech", "uncertain"],
)
async def test_what_the_model_doubts_is_rejected(tmp_path: Path, canned: Canned) -> None:
    recognizer = opened(make_canned_whisper(tmp_path, canned), slots=1)
    final = (await hypotheses_of(recognizer, REQUEST, SPEECH))[-1]
    assert (final.text, final.rejected) == ("", True)
    recognizer.close()


async def test_subtitle_phrase_is_rejected_and_a_thank_you_is_heard_where_somebody_spoke(tmp_path: Path) -> None:
    for text, rejected in (("thanks for watching", True), ("thank you", False)):
        recognizer = opened(make_canned_whisper(tmp_path / text.replace(" ", "-"), Canned(text)), slots=1)
        final = (await hypotheses_of(recognizer, REQUEST, SPEECH))[-1]
        assert final.rejected is rejected
        faint = (await hypotheses_of(recognizer, REQUEST, tone(600, -46)))[-1]
        assert faint.rejected
        recognizer.close()


async def test_deadline_holds_and_the_slot_comes_back(folder: Path) -> None:
    recognizer = opened(folder, slots=1, final_s=0.0001)
    with pytest.raises(EngineTimeout):
        await hypotheses_of(recognizer, REQUEST, SPEECH)
    async with asyncio.timeout(20):
        while recognizer.in_use:
            await asyncio.sleep(0.001)
    recognizer.close()


@in_one_loop
async def test_ten_callers_at_once_are_served_on_two_slots(recognizer: WhisperRecognizer) -> None:
    heard = await asyncio.gather(*(hypotheses_of(recognizer, REQUEST, SPEECH) for _ in range(10)))
    assert [hypotheses[-1].text for hypotheses in heard] == [SAID] * 10
    assert recognizer.in_use == 0


@pytest.mark.parametrize("name", ["config.json", "model.bin", "tokenizer.json"])
def test_folder_that_lacks_a_file_is_missing_and_the_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    with pytest.raises(EngineMissing, match=rf"{name} missing.*parley models list"):
        FasterWhisper(FasterWhisperOptions(tmp_path))


@pytest.mark.parametrize(
    "damage", [lambda file: file.write_bytes(b"no model"), lambda file: file.write_bytes(file.read_bytes()[:5000])]
)
@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
async def test_damaged_model_is_an_engine_error_that_names_the_folder(
    folder: Path, tmp_path: Path, damage: Callable[[Path], int], name: str
) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    damage(tmp_path / name)
    recognizer = opened(tmp_path, slots=1)
    with pytest.raises(EngineError, match="cannot load the model in"):
        await recognizer.warm_up()
    recognizer.close()


def test_canned_model_is_the_same_each_time_it_is_made(folder: Path, tmp_path: Path) -> None:
    again = make_canned_whisper(tmp_path, Canned(SAID))
    for file in sorted(folder.iterdir()):
        ours = hashlib.sha256((again / file.name).read_bytes()).hexdigest()
        assert ours == hashlib.sha256(file.read_bytes()).hexdigest(), file.name
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_500_000
    assert json.loads((folder / "config.json").read_text())["suppress_ids"] == []


def test_canned_sentence_with_a_word_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a word twice"):
        make_canned_whisper(tmp_path, Canned("no no"))
