"""Tones made and found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_core import FrameSizeError, RateError, ToneDetector, level_dbfs, tone
from tests.media_core.signals import noise, split, to_pcm, to_samples, voice

FREQUENCIES_HZ = (440.0, 620.0, 1000.0, 1800.0)


@pytest.mark.parametrize("frequency_hz", FREQUENCIES_HZ)
@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_a_tone_is_found_in_every_block_and_no_other_is(frequency_hz: float, rate_hz: int) -> None:
    pcm = tone([frequency_hz], 1000, rate_hz, -20.0)
    assert ToneDetector(rate_hz, FREQUENCIES_HZ).feed(pcm) == [(frequency_hz,)] * 50


def test_two_callers_are_both_found() -> None:
    pcm = tone([440.0, 1000.0], 200, 8000, -20.0)
    assert ToneDetector(8000, FREQUENCIES_HZ).feed(pcm) == [(440.0, 1000.0)] * 10


def test_the_moment_a_tone_changes_is_found_to_the_block() -> None:
    pcm = tone([440.0], 100, 8000) + bytes(320) + tone([1800.0], 100, 8000)
    assert ToneDetector(8000, FREQUENCIES_HZ).feed(pcm) == [(440.0,)] * 5 + [()] + [(1800.0,)] * 5


def test_noise_a_voice_silence_and_a_faint_tone_hold_no_tone() -> None:
    assert set(ToneDetector(8000, FREQUENCIES_HZ).feed(to_pcm(noise(-20.0, 5.0)))) == {()}
    assert set(ToneDetector(8000, FREQUENCIES_HZ).feed(bytes(3200))) == {()}
    assert set(ToneDetector(8000, FREQUENCIES_HZ).feed(tone([440.0], 100, 8000, -50.0))) == {()}
    found = ToneDetector(8000, FREQUENCIES_HZ).feed(to_pcm(voice(-20.0, 5.0)))
    assert sum(bool(block) for block in found) < len(found) // 10


@pytest.mark.parametrize("level", [-40.0, -20.0, -6.0])
@pytest.mark.parametrize("frequencies_hz", [[440.0], [697.0, 1209.0]])
def test_a_tone_has_the_level_asked_for_between_its_ramps(level: float, frequencies_hz: list[float]) -> None:
    pcm = tone(frequencies_hz, 1000, 8000, level)
    assert level_dbfs(pcm[800:-800]) == pytest.approx(level, abs=0.1)


def test_a_tone_begins_and_ends_without_a_click() -> None:
    samples = to_samples(tone([1000.0], 100, 8000, -6.0))
    assert samples[0] == samples[-1] == 0.0
    assert np.max(np.abs(samples[:5])) < 0.15 * np.max(np.abs(samples))
    assert np.max(np.abs(samples[-5:])) < 0.15 * np.max(np.abs(samples))


@given(st.lists(st.integers(0, 800), max_size=6))
def test_splitting_the_stream_makes_no_difference(cuts: list[int]) -> None:
    pcm = tone([440.0], 50, 8000) + tone([1000.0], 50, 8000)
    detector = ToneDetector(8000, FREQUENCIES_HZ)
    found = [block for piece in split(pcm, cuts) for block in detector.feed(piece)]
    assert found == ToneDetector(8000, FREQUENCIES_HZ).feed(pcm)


def test_a_tone_of_no_length_is_empty() -> None:
    assert tone([440.0], 0, 8000) == b""
    assert len(tone([440.0], 1, 8000)) == 16


def test_tones_that_cannot_be_are_refused() -> None:
    for frequencies_hz in ([0.0], [4000.0], [-5.0], [440.0, float("nan")]):
        with pytest.raises(RateError):
            tone(frequencies_hz, 100, 8000)
        with pytest.raises(RateError):
            ToneDetector(8000, frequencies_hz)
    with pytest.raises(RateError):
        tone([440.0], 100, 0)
    with pytest.raises(FrameSizeError):
        tone([440.0], -1, 8000)
    with pytest.raises(FrameSizeError):
        tone([], 100, 8000)


def test_detectors_that_cannot_be_are_refused() -> None:
    with pytest.raises(FrameSizeError):
        ToneDetector(8000, [])
    with pytest.raises(FrameSizeError):
        ToneDetector(8000, [100.0 + i for i in range(33)])
    with pytest.raises(FrameSizeError):
        ToneDetector(8000, [440.0], block_ms=1)
    with pytest.raises(FrameSizeError):
        ToneDetector(8000, [440.0]).feed(b"\x00")
