"""Beeps of answering machines, and the tones that are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_core import (
    BeepDetector,
    FrameSizeError,
    HeardTone,
    RateError,
    alaw_decode,
    alaw_encode,
    ulaw_decode,
    ulaw_encode,
)
from tests.media_core.signals import Samples, amplitude, noise, pcm_of_any_length, sine, split, to_pcm, voice

GREETING = voice(-20.0, 1.5)


def pause(seconds: float, rate_hz: int = 8000) -> Samples:
    """Make silence."""
    return np.zeros(int(seconds * rate_hz))


def beep(frequency_hz: float, seconds: float, level_dbfs: float = -18.0, rate_hz: int = 8000) -> Samples:
    """Make a beep with ramps of 5 ms."""
    samples = sine(frequency_hz, seconds, rate_hz, level_dbfs)
    ramp = min(rate_hz // 200, len(samples) // 2)
    samples[:ramp] *= np.linspace(0.0, 1.0, ramp)
    samples[-ramp:] *= np.linspace(1.0, 0.0, ramp)
    return samples


def over_the_line(*parts: Samples, noise_dbfs: float = -65.0) -> bytes:
    """Join the parts, on a µ-law line with this noise."""
    line = np.concatenate(parts)
    line = line + np.random.default_rng(1).normal(0.0, amplitude(noise_dbfs), len(line))
    return ulaw_decode(ulaw_encode(to_pcm(line)))


def kinds(pcm: bytes, rate_hz: int = 8000) -> list[str]:
    """Return what the tones are."""
    return [tone.kind for tone in BeepDetector(rate_hz).feed(pcm)]


@pytest.mark.parametrize("frequency_hz", [350, 500, 620, 800, 1000, 1400, 1800, 2200, 2600])
@pytest.mark.parametrize("seconds", [0.1, 0.4, 1.2])
def test_a_beep_after_a_greeting_is_found(frequency_hz: float, seconds: float) -> None:
    if frequency_hz in (350, 2600):
        frequency_hz += 10.0 if frequency_hz == 350 else -10.0
    (heard,) = BeepDetector(8000).feed(over_the_line(GREETING, pause(0.3), beep(frequency_hz, seconds), pause(0.5)))
    assert heard.kind == "beep"
    assert heard.frequency_hz == pytest.approx(frequency_hz, rel=0.01)
    assert heard.position == pytest.approx(1.8 * 8000, abs=320)
    assert heard.samples == pytest.approx(seconds * 8000, abs=400)
    assert heard.level_dbfs == pytest.approx(-18.0, abs=1.0)


@pytest.mark.parametrize("level_dbfs", [-10.0, -20.0, -30.0])
@pytest.mark.parametrize("frequency_hz", [440.0, 700.0, 1000.0, 1400.0, 2000.0])
def test_noise_10_db_below_the_beep_is_borne(frequency_hz: float, level_dbfs: float) -> None:
    pcm = over_the_line(
        pause(1.0),
        voice(level_dbfs, 1.5),
        pause(0.3),
        beep(frequency_hz, 0.3, level_dbfs),
        pause(1.0),
        noise_dbfs=level_dbfs - 10.0,
    )
    assert kinds(pcm) == ["beep"]


def test_a_beep_is_known_within_300_ms() -> None:
    detector = BeepDetector(8000)
    pcm = over_the_line(GREETING, pause(0.3), beep(1000.0, 0.3), pause(1.0))
    ended = 8000 * 21 // 10
    for start in range(0, len(pcm) // 2, 160):
        if detector.feed(pcm[2 * start : 2 * start + 320]):
            assert start + 160 - ended <= 300 * 8
            return
    pytest.fail("no beep was found")


@pytest.mark.parametrize("frequency_hz", [500.0, 1000.0, 2400.0])
def test_beeps_are_found_at_16_khz_too(frequency_hz: float) -> None:
    greeting = voice(-20.0, 1.5, 16000)
    parts = [greeting, pause(0.3, 16000), beep(frequency_hz, 0.3, rate_hz=16000), pause(0.5, 16000)]
    (heard,) = BeepDetector(16000).feed(to_pcm(np.concatenate(parts)))
    assert heard.kind == "beep"
    assert heard.frequency_hz == pytest.approx(frequency_hz, rel=0.01)
    assert heard.position == pytest.approx(1.8 * 16000, abs=640)


def test_a_beep_over_a_law_is_found() -> None:
    pcm = to_pcm(np.concatenate([GREETING, pause(0.3), beep(1000.0, 0.3), pause(0.5)]))
    assert kinds(alaw_decode(alaw_encode(pcm))) == ["beep"]


def test_one_frame_made_up_within_a_beep_does_not_split_it() -> None:
    pcm = bytearray(over_the_line(GREETING, pause(0.3), beep(1000.0, 0.6), pause(0.5)))
    pcm[2 * 16000 : 2 * 16160] = bytes(320)
    (heard,) = BeepDetector(8000).feed(bytes(pcm))
    assert heard.kind == "beep"
    assert heard.samples == pytest.approx(4800, abs=400)


def test_a_tone_before_anybody_spoke_is_no_beep() -> None:
    assert kinds(over_the_line(pause(1.0), beep(1000.0, 0.3), pause(0.5))) == ["no_speech"]


def test_speech_long_ago_does_not_count() -> None:
    assert kinds(over_the_line(GREETING, pause(16.0), beep(1000.0, 0.3), pause(0.5))) == ["no_speech"]


def test_a_tone_within_speech_is_no_beep() -> None:
    assert kinds(over_the_line(GREETING, beep(1000.0, 0.3), GREETING)) == ["no_silence"]


@pytest.mark.parametrize("seconds", [1.7, 5.0])
def test_a_long_tone_is_no_beep_and_is_told_once(seconds: float) -> None:
    assert kinds(over_the_line(GREETING, pause(0.3), beep(1000.0, seconds), pause(0.5))) == ["long"]


@pytest.mark.parametrize("seconds", [0.276, 0.38])
def test_a_special_information_tone_is_none(seconds: float) -> None:
    triplet = [beep(hz, seconds) for hz in (950.0, 1400.0, 1800.0)]
    assert kinds(over_the_line(GREETING, pause(0.3), *triplet, pause(0.5))) == ["sit"] * 3


def test_fax_machines_are_none() -> None:
    assert kinds(over_the_line(GREETING, pause(0.3), beep(1100.0, 0.5), pause(1.0))) == ["fax"]
    assert kinds(over_the_line(GREETING, pause(0.3), beep(2100.0, 3.0), pause(1.0))) == ["fax"]


@pytest.mark.parametrize(("on", "off"), [(0.5, 0.5), (0.25, 0.25), (0.35, 0.35), (0.48, 0.48), (1.0, 4.0)])
@pytest.mark.parametrize("frequency_hz", [425.0, 450.0])
def test_busy_and_ringing_tones_are_none(frequency_hz: float, on: float, off: float) -> None:
    found = kinds(over_the_line(GREETING, pause(0.3), *[beep(frequency_hz, on), pause(off)] * 4, pause(1.0)))
    assert "beep" not in found
    assert found.count("cadence") >= 3


@pytest.mark.parametrize(
    "frequencies_hz", [(350, 440), (440, 480), (480, 620), (697, 1209), (941, 1633), (1000, 2000), (400, 800, 1200)]
)
def test_several_tones_at_once_are_none(frequencies_hz: tuple[int, ...]) -> None:
    chord = sum((beep(float(hz), 0.4, -22.0) for hz in frequencies_hz), np.zeros(3200))
    assert kinds(over_the_line(GREETING, pause(0.3), chord, pause(0.5))) == []


def test_a_key_with_twist_is_none() -> None:
    key = beep(770.0, 0.2, -18.0) + beep(1336.0, 0.2, -26.0)
    assert kinds(over_the_line(GREETING, pause(0.3), key, pause(0.5))) == []


def test_a_gliding_tone_is_none() -> None:
    times = np.arange(4000) / 8000
    glide = amplitude(-18.0) * np.sqrt(2.0) * np.sin(2 * np.pi * (600.0 * times + 800.0 * times**2))
    assert "beep" not in kinds(over_the_line(GREETING, pause(0.3), glide, pause(0.5)))


def test_speech_noise_and_silence_hold_no_tone() -> None:
    assert kinds(over_the_line(voice(-20.0, 20.0))) == []
    assert kinds(over_the_line(noise(-20.0, 20.0))) == []
    assert kinds(bytes(160000)) == []


@given(st.lists(st.integers(0, 20000), max_size=8))
def test_splitting_the_stream_makes_no_difference(cuts: list[int]) -> None:
    pcm = over_the_line(GREETING, pause(0.2), beep(900.0, 0.2), pause(0.4), beep(425.0, 0.3), pause(0.8))
    for rate_hz in (8000, 16000):
        detector = BeepDetector(rate_hz)
        pieces = [repr(tone) for piece in split(pcm, cuts) for tone in detector.feed(piece)]
        assert pieces == [repr(tone) for tone in BeepDetector(rate_hz).feed(pcm)]


@given(pcm_of_any_length)
def test_arbitrary_audio_is_taken(pcm: bytes) -> None:
    detector = BeepDetector(16000)
    for _ in range(3):
        detector.feed(pcm)


def test_misuse_is_refused() -> None:
    with pytest.raises(RateError):
        BeepDetector(48000)
    with pytest.raises(FrameSizeError):
        BeepDetector(8000).feed(b"\x00")
    with pytest.raises(TypeError):
        HeardTone()
