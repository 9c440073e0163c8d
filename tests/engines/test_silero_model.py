"""The real model: what it tells apart, batches, and what is no model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import media_vad, voice_sets
from media_core import Resampler
from tools import voice_model

pytest.importorskip("onnxruntime", reason="the extra vad is not installed")

from parley.conversation.errors import EngineMissing
from parley.engines.silero_model import CHUNK_SAMPLES, SileroModel, StreamMemory
from parley.engines.silero_voice_detector import SileroVoiceDetector
from tests.contract.voice_detector_contract import Sounds, VoiceDetectorContract
from tests.engines.speech import said

needs_model = pytest.mark.skipif(voice_model.path() is None, reason="the model of silero was not fetched")


@pytest.fixture(scope="module")
def model() -> SileroModel:
    loaded = media_vad.load()
    assert loaded is not None
    return loaded


def chunks_of(rate_hz: int, seed: int) -> list[bytes]:
    noise = np.random.default_rng(seed).normal(0, 2000, (3, CHUNK_SAMPLES[rate_hz])).astype("<i2")
    return [chunk.tobytes() for chunk in noise]


@needs_model
@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_streams_of_one_run_do_not_touch_each_other(model: SileroModel, rate_hz: int) -> None:
    streams = [chunks_of(rate_hz, seed) for seed in range(8)]
    together = [StreamMemory.empty(rate_hz) for _ in streams]
    shared = [model.judge(rate_hz, list(chunks), together) for chunks in zip(*streams, strict=True)]
    for stream, chunks in enumerate(streams):
        memory = StreamMemory.empty(rate_hz)
        alone = [model.judge(rate_hz, [chunk], [memory])[0] for chunk in chunks]
        assert alone == pytest.approx([run[stream] for run in shared], abs=1e-4)


@needs_model
@pytest.mark.skipif(not voice_sets.RECORDINGS.exists(), reason="there are no recordings beside the repository")
def test_recorded_speech_over_a_telephone_line_is_found_in_time(model: SileroModel) -> None:
    found = [media_vad.found_after_ms(model, burst) for burst in voice_sets.spoken()]
    assert len(found) > 200
    assert sum(ms is not None for ms in found) >= 0.97 * len(found)
    in_time = sum(ms is not None and ms <= media_vad.ENERGY_WAITS_MS for ms in found)
    assert in_time >= 0.92 * len(found), "before energy would interrupt"


@needs_model
def test_nine_noises_in_ten_are_not_taken_for_voices(model: SileroModel) -> None:
    taken = [burst.source for burst in voice_sets.noises() if media_vad.found_after_ms(model, burst) is not None]
    of = len(list(voice_sets.noises()))
    assert of > 60, "energy opens for them"
    assert len(taken) <= of / 10, taken


def test_file_that_is_no_model_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "silero_vad.onnx").write_bytes(b"no model")
    for path in (tmp_path / "silero_vad.onnx", tmp_path / "none.onnx"):
        with pytest.raises(EngineMissing, match="parley models pull silero"):
            SileroModel(path)


@needs_model
class TestSilero(VoiceDetectorContract):
    """The detector with it, against the suite."""

    @pytest.fixture
    async def detector(self, model: SileroModel) -> AsyncIterator[SileroVoiceDetector]:
        made = SileroVoiceDetector(model)
        yield made
        made.close()

    @pytest.fixture(params=[8000, 16000])
    async def sounds(self, request: pytest.FixtureRequest) -> Sounds:
        voice = Resampler(8000, request.param).process(await said("my number is one two three"))
        hiss = np.random.default_rng(1).normal(0, 2000, request.param).astype("<i2")
        pause = 2 * request.param // 5
        return Sounds(request.param, voice[pause : 5 * pause], hiss.tobytes()[: 4 * pause])
