"""Concealment: gaps that sound like what was before, end in silence, and close without a click."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_core import Concealer, FrameSizeError, RateError
from tests.media_core.signals import pcm_of_any_length, sine, split, to_pcm, to_samples, voice

RATES = [8000, 16000]


@given(pcm_of_any_length)
def test_without_loss_audio_passes_unchanged(pcm: bytes) -> None:
    concealer = Concealer()
    assert concealer.good(pcm) == pcm
    assert concealer.good(pcm) == pcm
    assert concealer.lost_samples == 0


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("frequency_hz", [100, 150, 220, 400])
def test_a_gap_of_10_ms_goes_on_with_the_pitch(rate_hz: int, frequency_hz: int) -> None:
    wave = to_samples(to_pcm(sine(frequency_hz, 0.2, rate_hz)))
    start, gap = rate_hz // 10, rate_hz // 100
    concealer = Concealer(rate_hz)
    concealer.good(to_pcm(wave[:start]))
    made_up = to_samples(concealer.lost(gap))
    expected = wave[start : start + gap]
    assert np.corrcoef(made_up, expected)[0, 1] > 0.9
    assert np.std(made_up) == pytest.approx(np.std(expected), rel=0.2)


@pytest.mark.parametrize("rate_hz", RATES)
def test_a_long_gap_fades_to_silence_within_60_ms(rate_hz: int) -> None:
    concealer = Concealer(rate_hz)
    concealer.good(to_pcm(voice(-20.0, 0.5, rate_hz)))
    made_up = to_samples(b"".join(concealer.lost(rate_hz // 50) for _ in range(6)))
    energies = [np.std(block) for block in np.split(made_up, 12)]
    assert energies[0] > 300.0
    assert energies[4] < 0.8 * energies[0]
    assert not made_up[rate_hz * 60 // 1000 :].any()
    assert concealer.lost_samples == rate_hz * 120 // 1000


@pytest.mark.parametrize("rate_hz", RATES)
def test_neither_end_of_a_gap_clicks(rate_hz: int) -> None:
    wave = to_samples(to_pcm(sine(170.0, 0.3, rate_hz)))
    frame = rate_hz // 50
    concealer = Concealer(rate_hz)
    received = []
    for index, piece in enumerate(np.split(wave, 15)):
        received.append(concealer.lost(frame) if index in (5, 9, 10) else concealer.good(to_pcm(piece)))
    steps = np.abs(np.diff(to_samples(b"".join(received))))
    assert steps.max() < 2.5 * np.abs(np.diff(wave)).max()


@pytest.mark.parametrize("frequency_hz", [35, 42, 55])
def test_a_pitch_too_low_to_be_repeated_does_not_click_at_each_repetition(frequency_hz: int) -> None:
    wave = to_samples(to_pcm(sine(frequency_hz, 0.1, 8000)))
    concealer = Concealer()
    concealer.good(to_pcm(wave))
    steps = np.abs(np.diff(to_samples(concealer.lost(480))))
    assert steps.max() < 0.15 * np.abs(wave).max()


def test_after_a_gap_only_5_ms_are_changed() -> None:
    wave = to_pcm(sine(300.0, 0.1, 8000))
    concealer = Concealer()
    concealer.good(wave)
    concealer.lost(160)
    after = concealer.good(wave)
    assert after[: 2 * 40] != wave[: 2 * 40]
    assert after[2 * 40 :] == wave[2 * 40 :]
    assert concealer.good(wave) == wave


def test_a_gap_before_any_audio_and_after_silence_is_silent() -> None:
    concealer = Concealer()
    assert concealer.lost(160) == bytes(320)
    concealer.good(bytes(320))
    assert concealer.lost(160) == bytes(320)


@given(st.lists(st.integers(0, 800), max_size=6))
def test_splitting_a_gap_makes_no_difference(cuts: list[int]) -> None:
    whole, pieces = Concealer(), Concealer()
    pcm = to_pcm(voice(-20.0, 0.1))
    whole.good(pcm)
    pieces.good(pcm)
    made_up = whole.lost(800)
    assert b"".join(pieces.lost(len(piece) // 2) for piece in split(bytes(1600), cuts)) == made_up


def test_many_short_frames_are_remembered_as_one_long_one() -> None:
    pcm = to_pcm(voice(-20.0, 0.1))
    whole, pieces = Concealer(), Concealer()
    whole.good(pcm)
    for start in range(0, len(pcm), 34):
        pieces.good(pcm[start : start + 34])
    assert whole.lost(160) == pieces.lost(160)


@given(st.binary(min_size=480, max_size=480), st.integers(0, 1000))
def test_any_audio_can_be_continued(octets: bytes, samples: int) -> None:
    concealer = Concealer()
    concealer.good(octets)
    assert len(concealer.lost(samples)) == 2 * samples
    assert len(concealer.good(octets)) == len(octets)


def test_nothing_in_gives_nothing_out() -> None:
    concealer = Concealer()
    assert concealer.good(b"") == concealer.lost(0) == b""
    concealer.good(to_pcm(sine(300.0, 0.1, 8000)))
    concealer.lost(80)
    assert concealer.good(b"") == b""
    assert concealer.lost(80) != bytes(160)


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(RateError):
        Concealer(44100)
    with pytest.raises(FrameSizeError):
        Concealer().good(b"\x00")
    with pytest.raises(FrameSizeError):
        Concealer().lost(-1)
