"""The detector's thread, with a model that answers by the audio; the real model is in test_silero_model.py."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

pytest.importorskip("onnxruntime", reason="the extra vad is not installed")

from parley.conversation.errors import EngineError
from parley.conversation.ports import VoiceJudged
from parley.engines import silero_voice_detector
from parley.engines.silero_model import CHUNK_SAMPLES, StreamMemory
from parley.engines.silero_voice_detector import SileroVoiceDetector
from tests.contract.voice_detector_contract import BURST, Sounds, Verdicts, VoiceDetectorContract, say

PATIENCE_S = 10.0
CHUNK = CHUNK_SAMPLES[8000]
VOICE, NOISE = b"\x01\x10", b"\x02\x10"


class LoudModel:
    """Finds a voice where the audio is VOICE. `gate` holds it up; `batches` has the size of each run."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.running = threading.Event()
        self.batches: list[tuple[int, int]] = []
        self.broken = False

    def judge(self, rate_hz: int, chunks: Sequence[bytes], memories: Sequence[StreamMemory]) -> list[float]:
        """Answer."""
        assert {len(chunk) for chunk in chunks} == {2 * CHUNK_SAMPLES[rate_hz]}
        assert len({id(memory) for memory in memories}) == len(chunks)
        self.batches.append((rate_hz, len(chunks)))
        self.running.set()
        assert self.gate.wait(PATIENCE_S)
        if self.broken:
            raise EngineError("the model is broken")
        return [float(chunk[:2] == VOICE) for chunk in chunks]

    async def until_running(self) -> None:
        """Wait until it is in a run, held up by the gate."""
        assert await asyncio.to_thread(self.running.wait, PATIENCE_S)


@pytest.fixture
def model() -> LoudModel:
    return LoudModel()


@pytest.fixture
async def detector(model: LoudModel) -> AsyncIterator[SileroVoiceDetector]:
    made = SileroVoiceDetector(model)
    yield made
    model.gate.set()
    made.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "voice-detector"]


class TestWithAModelOfItsOwn(VoiceDetectorContract):
    """Against the suite."""

    @pytest.fixture
    def sounds(self) -> Sounds:
        return Sounds(8000, voice=VOICE * 8000, noise=NOISE * 8000)

    @pytest.fixture
    def in_use(self, detector: SileroVoiceDetector) -> Callable[[], int]:
        return lambda: len(detector._bursts)


def attend(detector: SileroVoiceDetector, pcm: bytes, *, rate_hz: int = 8000) -> Verdicts:
    verdicts = Verdicts()
    say(detector.attend(rate_hz, BURST, verdicts.take), pcm, rate_hz)
    return verdicts


async def test_bursts_of_many_calls_share_one_run(detector: SileroVoiceDetector, model: LoudModel) -> None:
    model.gate.clear()
    first = attend(detector, VOICE * CHUNK * 2)
    await model.until_running()
    others = [attend(detector, VOICE * CHUNK * 2) for _ in range(40)]
    model.gate.set()
    for verdicts in (first, *others):
        assert (await verdicts.first()).is_voice
    assert model.batches == [(8000, 1), (8000, 41), (8000, 40)]
    assert (detector.counts.runs, detector.counts.chunks, detector.counts.voices) == (3, 82, 41)


async def test_run_takes_no_more_than_it_can_do_in_time(
    detector: SileroVoiceDetector, model: LoudModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silero_voice_detector, "MAX_BATCH", 8)
    model.gate.clear()
    attend(detector, NOISE * CHUNK)
    await model.until_running()
    callers = [attend(detector, VOICE * CHUNK * 2) for _ in range(20)]
    model.gate.set()
    for verdicts in callers:
        await verdicts.first()
    assert [size for _, size in model.batches] == [1, 8, 8, 8, 8, 8]


async def test_calls_of_both_rates_are_judged_each_with_its_own(
    detector: SileroVoiceDetector, model: LoudModel
) -> None:
    model.gate.clear()
    attend(detector, NOISE * CHUNK)
    await model.until_running()
    wide = [attend(detector, VOICE * 2048, rate_hz=16000) for _ in range(3)]
    narrow = [attend(detector, VOICE * 1024) for _ in range(2)]
    model.gate.set()
    for verdicts in (*wide, *narrow):
        assert (await verdicts.first()).is_voice
    assert (16000, 3) in model.batches
    assert (8000, 2) in model.batches


async def test_position_of_a_verdict_is_the_end_of_what_was_judged(detector: SileroVoiceDetector) -> None:
    judged = await attend(detector, NOISE * CHUNK * 3 + VOICE * CHUNK * 5).first()
    assert judged == VoiceJudged(BURST, BURST + 5 * CHUNK, is_voice=True)


async def test_voice_that_was_found_costs_nothing_more(detector: SileroVoiceDetector, model: LoudModel) -> None:
    verdicts = Verdicts()
    burst = detector.attend(8000, BURST, verdicts.take)
    burst.hear(BURST, VOICE * CHUNK * 2)
    await verdicts.first()
    runs = detector.counts.runs
    burst.hear(BURST + 2 * CHUNK, VOICE * CHUNK * 2)
    await attend(detector, VOICE * CHUNK * 2).first()
    assert detector.counts.runs == runs + 2


async def test_burst_that_the_model_falls_behind_with_is_given_up_and_counted(
    detector: SileroVoiceDetector, model: LoudModel
) -> None:
    model.gate.clear()
    late = attend(detector, VOICE * CHUNK * 40)
    assert detector.counts.lost == 1
    model.gate.set()
    await attend(detector, VOICE * CHUNK * 2).first()
    assert late.told == []


async def test_burst_beyond_the_limit_is_not_listened_to_and_counted(
    detector: SileroVoiceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silero_voice_detector, "MAX_BURSTS", 1)
    first = detector.attend(8000, BURST, Verdicts().take)
    second = attend(detector, VOICE * 8000)
    assert (detector.counts.bursts, detector.counts.lost) == (2, 1)
    first.close()
    assert (await attend(detector, VOICE * 4000).first()).is_voice
    assert second.told == []


async def test_broken_model_is_told_once_and_gives_no_verdicts(
    detector: SileroVoiceDetector, model: LoudModel, caplog: pytest.LogCaptureFixture
) -> None:
    model.broken = True
    verdicts = attend(detector, VOICE * CHUNK * 2)
    await asyncio.to_thread(detector._thread.join, PATIENCE_S)
    later = attend(detector, VOICE * CHUNK * 2)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert detector.counts.lost == 2
    assert (verdicts.told, later.told) == ([], [])


async def test_time_from_the_newest_audio_to_the_verdict_is_told(model: LoudModel) -> None:
    waits: list[float] = []
    detector = SileroVoiceDetector(model, observe=waits.append)
    await attend(detector, VOICE * CHUNK * 2).first()
    detector.close()
    assert len(waits) == 1
    assert 0 <= waits[0] < PATIENCE_S


async def test_nothing_is_told_after_it_was_closed(detector: SileroVoiceDetector, model: LoudModel) -> None:
    model.gate.clear()
    verdicts = attend(detector, VOICE * CHUNK * 2)
    await model.until_running()
    model.gate.set()
    detector.close()
    detector.close()
    await asyncio.sleep(0)
    assert verdicts.told == []
    assert len(detector._bursts) == 0
