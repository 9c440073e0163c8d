"""openai-whisper itself, on a canned checkpoint: everything but what it understands is as with real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from parley.conversation.errors import EngineError, EngineMissing
from parley.conversation.ports import RecognitionRequest
from parley.engines.openai_whisper_model import OpenaiWhisper, OpenaiWhisperOptions
from parley.engines.whisper_recognizer import WhisperLimits, WhisperRecognizer
from tests.contract.recognizer_contract import RecognizerContract, SpokenUtterance, hypotheses_of
from tests.engines.test_sound_meter import tone
from tests.support.canned_openai_whisper import make_openai_checkpoint
from tests.support.canned_whisper import Canned
from tests.support.engines import require_engine

require_engine("whisper", "openai-whisper")

# The library leaves its vocabulary's file open.
LEFT_OPEN = "ignore:.*tiktoken:pytest.PytestUnraisableExceptionWarning"
pytestmark = [pytest.mark.models, pytest.mark.filterwarnings(LEFT_OPEN)]
in_one_loop = pytest.mark.asyncio(loop_scope="module")

SAID = "four seven one five zero eight"
REQUEST = RecognitionRequest("en", 8000)
SPEECH = tone(1300, -20)
"""2.6 s at 8 kHz: longer than the canned words take."""
QUIET = bytes(8000)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_openai_checkpoint(tmp_path_factory.mktemp("whisper") / "canned.pt", Canned(SAID))


def opened(model: Path) -> WhisperRecognizer:
    """The deadline is far: canned or not, the machine that tests run on may be slow."""
    return WhisperRecognizer(OpenaiWhisper(OpenaiWhisperOptions(model)), WhisperLimits(slots=1, final_s=20.0))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recognizer(checkpoint: Path) -> AsyncIterator[WhisperRecognizer]:
    made = opened(checkpoint)
    await made.warm_up()
    yield made
    made.close()


@in_one_loop
class TestOpenaiWhisper(RecognizerContract):
    """The suite of every recogniser."""

    @pytest.fixture
    def utterance(self) -> SpokenUtterance:
        return SpokenUtterance(REQUEST, QUIET + SPEECH + QUIET, SAID)


@in_one_loop
async def test_words_have_times_within_the_utterance(recognizer: WhisperRecognizer) -> None:
    final = (await hypotheses_of(recognizer, REQUEST, SPEECH))[-1]
    assert [word.text for word in final.words] == SAID.split()
    times = [time for word in final.words for time in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert times[-1] <= len(SPEECH) / 2 / 8
    assert final.words[1].start_ms == pytest.approx(300, abs=60)
    assert final.confidence > 0.8


@in_one_loop
async def test_utterance_longer_than_whispers_window_is_decoded_in_parts(recognizer: WhisperRecognizer) -> None:
    final = (await hypotheses_of(recognizer, REQUEST, SPEECH * 11 + QUIET + SPEECH))[-1]
    assert final.text == f"{SAID} {SAID}"
    assert 28_500 < final.words[len(final.words) // 2].start_ms < 29_200


@in_one_loop
async def test_callers_at_once_are_decoded_one_after_the_other(recognizer: WhisperRecognizer) -> None:
    heard = await asyncio.gather(*(hypotheses_of(recognizer, REQUEST, SPEECH) for _ in range(4)))
    assert [hypotheses[-1].text for hypotheses in heard] == [SAID] * 4


@in_one_loop
async def test_language_that_the_model_lacks_is_missing(recognizer: WhisperRecognizer) -> None:
    with pytest.raises(EngineMissing, match=r"does not know language 'zh'.*multilingual"):
        await hypotheses_of(recognizer, RecognitionRequest("zh", 8000), SPEECH)


async def test_what_the_model_doubts_is_rejected(tmp_path: Path) -> None:
    recognizer = opened(make_openai_checkpoint(tmp_path / "a.pt", Canned("you never said that", no_speech=True)))
    final = (await hypotheses_of(recognizer, REQUEST, SPEECH))[-1]
    assert (final.text, final.rejected) == ("", True)
    recognizer.close()


async def test_folder_with_one_checkpoint_is_enough_and_other_places_are_missing(
    checkpoint: Path, tmp_path: Path
) -> None:
    assert OpenaiWhisperOptions(checkpoint.parent).checkpoint() == checkpoint
    for place in (tmp_path, tmp_path / "absent.pt"):
        with pytest.raises(EngineMissing, match=r"parley models list"):
            OpenaiWhisper(OpenaiWhisperOptions(place))


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 half a checkpoint"])
async def test_damaged_checkpoint_is_an_engine_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    recognizer = opened(tmp_path)
    with pytest.raises(EngineError, match=r"cannot load .*a\.pt"):
        await recognizer.warm_up()
    recognizer.close()
