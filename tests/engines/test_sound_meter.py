"""How much of an utterance is sound."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.engines.sound_meter import BELOW_PEAK_DB, FLOOR_DBFS, FRAME_MS, GATE_DBFS, SoundMeter

RATE_HZ = 16000


def tone(ms: int, dbfs: float) -> bytes:
    peak = 32768 * 10 ** (dbfs / 20) * math.sqrt(2)
    samples = (round(peak * math.sin(2 * math.pi * 400 * n / RATE_HZ)) for n in range(RATE_HZ * ms // 1000))
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)


def measured(*pieces: bytes) -> SoundMeter:
    meter = SoundMeter(RATE_HZ)
    for piece in pieces:
        meter.add(piece)
    return meter


def test_silence_is_no_sound() -> None:
    meter = measured(bytes(RATE_HZ * 2))
    assert (meter.sound_ms, meter.last_sound_ms, meter.pause_ms, meter.peak_dbfs) == (0, 0, 1000, FLOOR_DBFS)


def test_nothing_measures_as_nothing() -> None:
    meter = measured()
    assert (meter.sound_ms, meter.pause_ms, meter.peak_dbfs) == (0, 0, FLOOR_DBFS)


def test_sound_is_counted_and_the_pause_behind_it() -> None:
    meter = measured(bytes(RATE_HZ // 5 * 2), tone(400, -20), bytes(RATE_HZ // 5 * 2))
    assert (meter.sound_ms, meter.last_sound_ms, meter.pause_ms) == (400, 600, 200)
    assert meter.peak_dbfs == pytest.approx(-20, abs=0.5)


def test_background_far_below_the_speech_is_a_pause_and_near_it_is_none() -> None:
    assert measured(tone(400, -20), tone(200, -55)).pause_ms == 200
    assert measured(tone(400, -10), tone(200, -45)).pause_ms == 200
    assert measured(tone(400, -20), tone(200, -40)).pause_ms == 0


def test_how_the_audio_is_cut_makes_no_difference() -> None:
    audio = tone(300, -20) + bytes(3200)
    whole, cut = measured(audio), measured(*(audio[start : start + 442] for start in range(0, len(audio), 442)))
    assert (cut.sound_ms, cut.pause_ms, cut.peak_dbfs) == (whole.sound_ms, whole.pause_ms, whole.peak_dbfs)


@given(st.lists(st.sampled_from([-70, -56, -45, -38, -20, -5]), max_size=12), st.integers(1, 40))
def test_what_is_sound_is_judged_by_the_loudest_frame_whenever_it_comes(levels_dbfs: list[int], frames: int) -> None:
    meter = measured(*(TONES[level] * frames for level in levels_dbfs))
    gate = max(GATE_DBFS, max(levels_dbfs, default=FLOOR_DBFS) - BELOW_PEAK_DB)
    above = [number for number, level in enumerate(levels_dbfs, 1) if level > gate]
    assert meter.sound_ms == len(above) * frames * FRAME_MS
    assert meter.last_sound_ms == max(above, default=0) * frames * FRAME_MS
    assert meter.pause_ms == (len(levels_dbfs) - max(above, default=0)) * frames * FRAME_MS


TONES = {level: tone(FRAME_MS, level) for level in (-70, -56, -45, -38, -20, -5)}
"""A frame each."""
