"""Sounds over the agent, where a voice detector tells voices from other sounds."""

import pytest

from parley.conversation.ports import SpeechStarted
from tests.conversation.phone_call import asks, says, talking
from tests.fakes.voice_detector import FakeVoiceDetector

PROMPT = "One two three four five. Six seven eight nine ten."
"""Two sentences of 1,000 ms each at 200 ms per word."""


@pytest.mark.parametrize("at_ms", [100, 440, 800, 1500])
async def test_voice_stops_the_agent_as_soon_as_without_a_detector(at_ms: int) -> None:
    detector = FakeVoiceDetector(after_ms=96)
    async with talking(asks(PROMPT), says("Fine."), hears=("sales",), voice_detector=detector) as call:
        await call.passes(at_ms)
        await call.speaks(900)
        assert call.audio.cleared_at[0] // 8 - at_ms <= 260
        await call.until_over()
        assert call.told == ["sales"]
        assert detector.open == 0


async def test_sound_that_is_no_voice_does_not_stop_the_agent_however_long_it_lasts() -> None:
    detector = FakeVoiceDetector(lambda _: False)
    async with talking(asks(PROMPT), says("Fine."), voice_detector=detector) as call:
        await call.passes(300)
        await call.speaks(1000, pause_ms=300)
        await call.until_silent()
        assert call.audio.cleared_at == []
        assert len(detector.bursts) == 1
        assert detector.open == 0, "what has ended is not listened to"
        await call.hang_up()
        assert call.heard == [PROMPT]


async def test_voice_that_begins_within_a_noise_stops_the_agent_when_it_is_found() -> None:
    enough = 2 * 8 * 600
    detector = FakeVoiceDetector(lambda pcm: len(pcm) >= enough)
    async with talking(asks(PROMPT), says("Fine."), hears=("sales",), voice_detector=detector) as call:
        await call.passes(300)
        await call.speaks(1200)
        cleared_ms = call.audio.cleared_at[0] // 8
        assert 640 <= cleared_ms <= 720, "256 of the 600 ms are from before the burst"
        await call.until_over()
        assert call.told == ["sales"]


@pytest.mark.parametrize("at_ms", [100, 440, 800, 1500])
async def test_without_a_verdict_in_time_energy_decides(at_ms: int) -> None:
    detector = FakeVoiceDetector(lambda _: None)
    async with talking(asks(PROMPT), says("Fine."), hears=("sales",), voice_detector=detector) as call:
        await call.passes(at_ms)
        await call.speaks(900)
        assert call.audio.cleared_at[0] // 8 - at_ms <= 260
        await call.until_over()
        assert call.told == ["sales"]
        assert detector.open == 0


async def test_cough_is_no_interruption_whatever_the_detector_says() -> None:
    async with talking(asks(PROMPT), says("Fine."), voice_detector=FakeVoiceDetector(after_ms=0)) as call:
        await call.passes(480)
        await call.speaks(80, pause_ms=500)
        assert call.audio.cleared_at == []


async def test_detector_hears_the_burst_from_a_moment_before_it() -> None:
    detector = FakeVoiceDetector()
    async with talking(asks(PROMPT), says("Fine."), hears=("sales",), voice_detector=detector) as call:
        await call.passes(600)
        await call.speaks(900)
        assert detector.bursts[0].first == (600 - 256) * 8
        await call.until_over()


async def test_each_burst_is_judged_anew() -> None:
    verdicts = iter([False, True])
    answers: dict[int, bool] = {}
    detector = FakeVoiceDetector(lambda _: answers.setdefault(len(detector.bursts), next(verdicts, True)))
    async with talking(asks(PROMPT), says("Fine."), hears=("sales",), voice_detector=detector) as call:
        await call.passes(100)
        await call.speaks(300, pause_ms=300)
        assert call.audio.cleared_at == []
        await call.speaks(900)
        assert len(call.audio.cleared_at) == 1
        await call.until_over()


async def test_call_that_ends_in_a_burst_leaves_none_open() -> None:
    detector = FakeVoiceDetector(lambda _: False)
    async with talking(asks(PROMPT), voice_detector=detector) as call:
        await call.passes(300)
        await call.speaks(300)
        assert detector.open == 1
        await call.hang_up()
        assert detector.open == 0


async def test_burst_whose_audio_is_missing_is_decided_by_energy() -> None:
    """A late reader has lost the blocks; the events came all the same."""
    detector = FakeVoiceDetector(lambda _: None)
    async with talking(asks(PROMPT), says("Fine."), voice_detector=detector) as call:
        await call.passes(400)
        call.audio.emit(SpeechStarted(400 * 8))
        await call.passes(300)
        assert call.audio.cleared_at
