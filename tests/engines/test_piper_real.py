"""piper itself, with a voice made for tests."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import threading
from pathlib import Path

import pytest

pytest.importorskip("piper", reason="piper-tts is not installed: make test-models ENGINE=piper")
pytest.importorskip("onnx", reason="onnx is not installed: make test-models ENGINE=piper")

import numpy as np
import onnx

from media_core.pcm import level_dbfs
from parley.conversation.errors import EngineMissing, EngineTimeout
from parley.conversation.ports import SpeechRequest
from parley.engines.piper_synthesizer import PiperSynthesizer
from parley.engines.piper_voice import Breaker, Voice
from tests.contract.synthesizer_contract import FailingSynthesizerContract, SynthesizerContract, chunks_of
from tests.support.toy_voice import NAME, write_toy_voice

pytestmark = pytest.mark.models

TEXT = "I would like to pay my bill, please."
SILENT_DBFS = -60.0
SLOW_TURNS = 40
GAP_MS = 30
"""Of the unit for a space, what surely is silent: the filter of the resampler rings for 2 ms."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy voice."""
    folder = tmp_path_factory.mktemp("voices")
    write_toy_voice(folder)
    return folder


@pytest.fixture
def sentence() -> SpeechRequest:
    return SpeechRequest(TEXT, "en", "", 8000)


class TestPiper(SynthesizerContract):
    @pytest.fixture
    def synthesizer(self, folder: Path) -> PiperSynthesizer:
        return PiperSynthesizer(folder)


class TestPiperInAnotherLanguage(FailingSynthesizerContract):
    @pytest.fixture
    def failing_synthesizer(self, folder: Path) -> PiperSynthesizer:
        return PiperSynthesizer(folder)

    @pytest.fixture
    def sentence(self) -> SpeechRequest:
        return SpeechRequest("您好", "zh", "", 8000)


@pytest.mark.parametrize("voice_hz", [16000, 22050, 24000])
@pytest.mark.parametrize("rate_hz", [8000, 16000])
async def test_words_are_heard_where_their_times_say_at_every_rate(tmp_path: Path, voice_hz: int, rate_hz: int) -> None:
    """A resampler that adds its lag would put sound into the gap behind a word, or silence into its begin."""
    write_toy_voice(tmp_path, voice_hz)
    (chunk,) = await chunks_of(PiperSynthesizer(tmp_path), SpeechRequest(TEXT, "en", "", rate_hz))
    assert [time.text for time in chunk.alignment] == TEXT.split()
    samples, gap, ms = memoryview(chunk.pcm).cast("h"), rate_hz * GAP_MS // 1000, rate_hz // 1000
    for word, following in zip(chunk.alignment, chunk.alignment[1:], strict=False):
        before = samples[following.start_samples - gap : following.start_samples - ms]
        after = samples[word.end_samples + ms : word.end_samples + gap]
        spoken = samples[following.start_samples : following.end_samples]
        assert level_dbfs(before.tobytes()) < SILENT_DBFS
        assert level_dbfs(after.tobytes()) < SILENT_DBFS
        assert level_dbfs(spoken.tobytes()) > -35
    assert level_dbfs(chunk.pcm) == pytest.approx(-19, abs=3)


async def test_voice_that_does_not_tell_lengths_speaks_without_word_times(tmp_path: Path) -> None:
    write_toy_voice(tmp_path, aligned=False)
    (chunk,) = await chunks_of(PiperSynthesizer(tmp_path), SpeechRequest(TEXT, "en", "", 8000))
    assert chunk.pcm
    assert chunk.alignment == ()


async def test_number_that_becomes_several_words_leaves_the_times_out(folder: Path) -> None:
    (chunk,) = await chunks_of(PiperSynthesizer(folder), SpeechRequest("Number 42 please", "en", "", 8000))
    assert chunk.alignment == ()


async def test_what_piper_takes_for_several_sentences_comes_in_several_chunks(folder: Path) -> None:
    text = "Hello there. How are you?"
    chunks = await chunks_of(PiperSynthesizer(folder), SpeechRequest(text, "en", "", 8000))
    assert len(chunks) == 2
    assert [time.text for time in chunks[-1].alignment] == text.split()
    assert chunks[-1].alignment[2].start_samples >= len(chunks[0].pcm) // 2


def test_utterance_that_is_broken_off_makes_no_further_piece(folder: Path) -> None:
    breaker = Breaker()
    pieces = Voice(folder / f"{NAME}.onnx", threads=1).speak("One. Two. Three.", breaker)
    assert next(pieces).pcm
    breaker.stop()
    assert next(pieces, None) is None


def write_slow_voice(folder: Path) -> Path:
    """Write the toy voice with seconds of sums before its output, which change nothing."""
    path = write_toy_voice(folder)
    model = onnx.load(str(path))
    graph, node = model.graph, onnx.helper.make_node
    for made in graph.node:
        made.output[:] = ["quick" if name == "output" else name for name in made.output]
    graph.initializer.append(onnx.numpy_helper.from_array(np.eye(1200, dtype=np.float32), "x"))
    graph.node.extend([node("Cast", ["input"], ["floats"], to=onnx.TensorProto.FLOAT)])
    graph.node.extend([node("ReduceMax", ["floats"], ["last"], keepdims=0), node("Mul", ["x", "last"], ["x0"])])
    graph.node.extend(node("MatMul", [f"x{turn}", "x"], [f"x{turn + 1}"]) for turn in range(SLOW_TURNS))
    graph.node.extend([node("ReduceMax", [f"x{SLOW_TURNS}"], ["most"], keepdims=0)])
    graph.node.extend([node("Sub", ["most", "most"], ["nothing"]), node("Add", ["quick", "nothing"], ["output"])])
    onnx.save(model, str(path))
    return path


def test_utterance_is_broken_off_in_the_middle_of_the_networks_work(tmp_path: Path) -> None:
    voice, breaker = Voice(write_slow_voice(tmp_path), threads=1), Breaker()
    soon = threading.Timer(0.05, breaker.stop)
    soon.start()
    assert next(voice.speak("Hello.", breaker), None) is None
    soon.join()


async def test_sentence_beyond_its_deadline_is_given_up_and_the_next_one_is_spoken(folder: Path) -> None:
    piper = PiperSynthesizer(folder, at_once=1, deadline_s=0.0)
    with pytest.raises(EngineTimeout):
        await chunks_of(piper, SpeechRequest(TEXT, "en", "", 8000))
    patient = PiperSynthesizer(folder, at_once=1)
    assert await chunks_of(patient, SpeechRequest(TEXT, "en", "", 8000))


async def test_more_sentences_than_places_are_all_spoken_in_turn(folder: Path) -> None:
    piper = PiperSynthesizer(folder, at_once=2)
    spoken = await asyncio.gather(*(chunks_of(piper, SpeechRequest(TEXT, "en", "", 8000)) for _ in range(8)))
    assert len({b"".join(chunk.pcm for chunk in chunks) for chunks in spoken}) == 1


async def test_double_brackets_are_read_and_do_not_command_single_sounds(folder: Path) -> None:
    """Taken as phonemes they would be four units of 80 ms; spelled they are three times as many."""
    (chunk,) = await chunks_of(PiperSynthesizer(folder), SpeechRequest("[[ssss]]", "en", "", 8000))
    assert len(chunk.pcm) // 2 / 8000 > 0.6


async def test_unknown_voice_is_missing_and_the_known_ones_are_named(folder: Path) -> None:
    for name in ("bob", "../toy"):
        with pytest.raises(EngineMissing, match=f"no voice '{name}'.*{NAME}"):
            await chunks_of(PiperSynthesizer(folder), SpeechRequest("hello", "en", name, 8000))


async def test_damaged_voice_is_missing_and_so_is_one_without_description(folder: Path, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.onnx").write_bytes(b"no network")
    request = SpeechRequest("hello", "en", NAME, 8000)
    with pytest.raises(EngineMissing, match=r"onnx\.json cannot be read"):
        await chunks_of(PiperSynthesizer(tmp_path), request)
    shutil.copy(folder / f"{NAME}.onnx.json", tmp_path)
    with pytest.raises(EngineMissing, match="cannot be loaded: is it whole"):
        await chunks_of(PiperSynthesizer(tmp_path), request)


async def test_voice_that_would_fetch_a_model_is_refused(tmp_path: Path) -> None:
    description = write_toy_voice(tmp_path).with_name(f"{NAME}.onnx.json")
    description.write_text(json.dumps({**json.loads(description.read_text()), "phoneme_type": "pinyin"}))
    with pytest.raises(EngineMissing, match="'pinyin', which fetches further models"):
        await chunks_of(PiperSynthesizer(tmp_path), SpeechRequest("hello", "en", "", 8000))


async def test_what_is_said_is_never_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await chunks_of(PiperSynthesizer(folder), SpeechRequest("Your secret is xylophone.", "en", "", 8000))
    assert "xylophone" not in caplog.text
