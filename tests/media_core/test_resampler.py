"""The resampler against a plain convolution, and against what it promises of images, delay and pace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_core import FrameSizeError, RateError, Resampler
from tests.media_core import reference
from tests.media_core.signals import Samples, noise, sine, split, to_pcm, to_samples

RATES = (8000, 16000, 24000, 48000)
PAIRS = [(a, b) for a in RATES for b in RATES if a != b] + [(22050, 8000), (22050, 16000)]


def spectrum_db(samples: Samples) -> Samples:
    """Return the spectrum of a second of audio, 1 Hz apart, relative to its strongest line."""
    lines = np.abs(np.fft.rfft(samples * np.blackman(len(samples))))
    relative: Samples = 20.0 * np.log10(np.maximum(lines, 1e-9) / lines.max())
    return relative


def steady(pcm: bytes, to_hz: int) -> Samples:
    """Cut out the second that begins after 100 ms."""
    return to_samples(pcm)[to_hz // 10 : to_hz // 10 + to_hz]


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_output_is_that_of_a_plain_convolution(from_hz: int, to_hz: int) -> None:
    pcm = to_pcm(noise(-12.0, 0.03, from_hz))
    converted = to_samples(Resampler(from_hz, to_hz).process(pcm))
    expected = reference.resample(pcm, from_hz, to_hz)
    assert len(converted) == len(expected)
    assert np.max(np.abs(converted - expected.clip(-32768, 32767))) <= 0.6


@pytest.mark.parametrize("frequency_hz", [300, 1000, 2000, 3000, 3400])
@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 16000), (8000, 24000), (8000, 48000)])
def test_images_of_the_telephone_band_stay_below_80_db(from_hz: int, to_hz: int, frequency_hz: int) -> None:
    pcm = to_pcm(sine(frequency_hz, 1.2, from_hz, level_dbfs=-6.0))
    relative = spectrum_db(steady(Resampler(from_hz, to_hz).process(pcm), to_hz))
    assert relative[4000:].max() <= -80.0


@pytest.mark.parametrize("frequency_hz", [4600, 5000, 6500, 7500])
@pytest.mark.parametrize("from_hz", [16000, 22050, 24000, 48000])
def test_what_8_khz_cannot_carry_stays_below_80_db(from_hz: int, frequency_hz: int) -> None:
    sent = sine(frequency_hz, 1.2, from_hz, level_dbfs=-6.0)
    left = steady(Resampler(from_hz, 8000).process(to_pcm(sent)), 8000)
    assert np.sqrt(np.mean(left**2)) <= 1e-4 * np.sqrt(np.mean(sent**2))


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_the_telephone_band_passes_within_a_third_of_a_decibel(from_hz: int, to_hz: int) -> None:
    for frequency_hz in (100, 1000, 3000, 3400):
        sent = sine(frequency_hz, 1.2, from_hz)
        received = steady(Resampler(from_hz, to_hz).process(to_pcm(sent)), to_hz)
        change_db = 10.0 * np.log10(np.mean(received**2) / np.mean(sent**2))
        assert abs(change_db) <= 0.33


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_click_comes_out_after_the_stated_delay(from_hz: int, to_hz: int) -> None:
    click = np.zeros(from_hz // 10)
    click[from_hz // 50] = 30000.0
    resampler = Resampler(from_hz, to_hz)
    received = to_samples(resampler.process(to_pcm(click)) + resampler.flush())
    assert abs(int(np.argmax(received)) - (to_hz / 50 + resampler.delay_samples)) <= 1.0
    assert resampler.delay_samples == pytest.approx(resampler.delay_ms * to_hz / 1000)


def test_delay_between_8_and_16_khz_is_2_ms() -> None:
    assert Resampler(8000, 16000).delay_ms == Resampler(16000, 8000).delay_ms == 2.0


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_every_20_ms_give_20_ms_from_the_first_on(from_hz: int, to_hz: int) -> None:
    resampler = Resampler(from_hz, to_hz)
    frame = bytes(from_hz // 50 * 2)
    sizes = {len(resampler.process(frame)) // 2 for _ in range(50)}
    assert max(abs(size - to_hz // 50) for size in sizes) <= 1


@settings(max_examples=60)
@given(st.sampled_from(PAIRS), st.lists(st.integers(0, 700), max_size=8), st.integers(0, 700))
def test_splitting_the_stream_makes_no_difference(pair: tuple[int, int], cuts: list[int], samples: int) -> None:
    pcm = to_pcm(noise(-3.0, 1.0, samples or 1))
    whole, pieces = Resampler(*pair), Resampler(*pair)
    expected = whole.process(pcm) + whole.flush()
    assert b"".join(pieces.process(piece) for piece in split(pcm, cuts)) + pieces.flush() == expected


def test_flush_returns_the_tail_and_starts_afresh() -> None:
    resampler = Resampler(8000, 16000)
    pcm = to_pcm(sine(440.0, 0.1, 8000))
    first = resampler.process(pcm)
    tail = resampler.flush()
    assert len(tail) == 2 * resampler.delay_samples
    assert np.max(np.abs(to_samples(tail))) > 1000
    assert resampler.process(pcm) == first
    assert resampler.flush() == tail


def test_overload_saturates() -> None:
    # A square wave between the limits overshoots behind a low-pass filter.
    wave = np.where(np.arange(4000) // 20 % 2, 32767.0, -32768.0)
    received = to_samples(Resampler(8000, 16000).process(to_pcm(wave)))[100:]
    assert received.max() == 32767
    assert received.min() == -32768
    assert np.mean(np.abs(np.diff(received)) > 40000) < 0.02


def test_equal_rates_pass_through() -> None:
    resampler = Resampler(8000, 8000)
    assert resampler.process(b"\x01\x02\x03\x04") == b"\x01\x02\x03\x04"
    assert resampler.flush() == b""
    assert resampler.delay_ms == resampler.delay_samples == 0.0


def test_nothing_in_gives_nothing_out() -> None:
    assert Resampler(8000, 16000).process(b"") == b""


@pytest.mark.parametrize("pair", [(8000, 16000), (8000, 8000)])
def test_half_a_sample_is_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(FrameSizeError):
        Resampler(*pair).process(b"\x00")


@pytest.mark.parametrize("pair", [(8000, 22050), (44100, 8000), (0, 8000), (-8000, 16000), (22050, 22050)])
def test_other_rates_are_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(RateError):
        Resampler(*pair)
