"""Keys heard as tones: what Q.24 asks for is found, what it forbids is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_core import DtmfDetector, FrameSizeError, RateError
from media_core.dtmf import KeyEdge
from tests.media_core.keys import KEYPAD, Press, dialled
from tests.media_core.signals import noise, pcm_of_any_length, sine, split, to_pcm, voice

ALL_KEYS = [Press(digit) for digit in KEYPAD]


def heard(pcm: bytes, rate_hz: int = 8000) -> str:
    """Return the digits pressed."""
    return "".join(edge.digit for edge in DtmfDetector(rate_hz).feed(pcm) if edge.pressed)


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_all_keys_are_heard(rate_hz: int) -> None:
    assert heard(dialled(ALL_KEYS, rate_hz=rate_hz), rate_hz) == KEYPAD


@pytest.mark.parametrize("lead_ms", [0, 3, 6, 9, 11])
def test_keys_of_40_ms_with_pauses_of_40_ms_are_heard_wherever_they_begin(lead_ms: int) -> None:
    presses = [replace(press, duration_ms=40.0, pause_ms=40.0) for press in ALL_KEYS]
    assert heard(bytes(16 * lead_ms) + dialled(presses)) == KEYPAD


@pytest.mark.parametrize("duration_ms", [10.0, 15.0, 20.0])
def test_what_is_much_shorter_is_no_key(duration_ms: float) -> None:
    assert heard(dialled([replace(press, duration_ms=duration_ms) for press in ALL_KEYS])) == ""


@pytest.mark.parametrize("offsets", [(0.015, 0.015), (-0.015, -0.015), (0.015, -0.015)])
def test_frequencies_one_and_a_half_percent_off_are_heard(offsets: tuple[float, float]) -> None:
    presses = [replace(press, low_offset=offsets[0], high_offset=offsets[1]) for press in ALL_KEYS]
    assert heard(dialled(presses)) == KEYPAD


@pytest.mark.parametrize("offsets", [(0.035, 0.0), (-0.035, 0.0), (0.0, 0.035), (0.0, -0.035)])
def test_frequencies_three_and_a_half_percent_off_are_not(offsets: tuple[float, float]) -> None:
    presses = [replace(press, low_offset=offsets[0], high_offset=offsets[1]) for press in ALL_KEYS]
    assert heard(dialled(presses)) == ""


@pytest.mark.parametrize("twist_db", [-7.0, -4.0, 0.0, 4.0])
def test_twist_that_lines_make_is_borne(twist_db: float) -> None:
    assert heard(dialled([replace(press, twist_db=twist_db) for press in ALL_KEYS])) == KEYPAD


@pytest.mark.parametrize("twist_db", [-12.0, 8.0])
def test_tones_too_unequal_are_no_key(twist_db: float) -> None:
    assert heard(dialled([replace(press, twist_db=twist_db) for press in ALL_KEYS])) == ""


@pytest.mark.parametrize("level_dbfs", [-9.0, -25.0, -40.0])
def test_loud_and_faint_keys_are_heard(level_dbfs: float) -> None:
    assert heard(dialled([replace(press, level_dbfs=level_dbfs) for press in ALL_KEYS])) == KEYPAD


def test_keys_below_the_least_level_are_not() -> None:
    assert heard(dialled([replace(press, level_dbfs=-50.0) for press in ALL_KEYS])) == ""


@pytest.mark.parametrize("snr_db", [10.0, 15.0, 25.0])
def test_noise_below_the_keys_is_borne(snr_db: float) -> None:
    assert heard(dialled(ALL_KEYS, snr_db=snr_db)) == KEYPAD


def test_a_key_held_long_is_one_key_and_its_ends_are_told() -> None:
    down, up = DtmfDetector(8000, start_position=1000).feed(dialled([Press("5", duration_ms=2000.0)]))
    assert (down.digit, down.pressed, up.digit, up.pressed) == ("5", True, "5", False)
    assert down.position == up.position == pytest.approx(1000 + 400, abs=102)
    assert up.samples == pytest.approx(16000, abs=204)
    assert up.level_dbfs == pytest.approx(-13.0, abs=0.5)


def test_positions_count_samples_of_the_stream_at_16_khz_too() -> None:
    down, up = DtmfDetector(16000).feed(dialled([Press("0", duration_ms=500.0)], rate_hz=16000))
    assert down.position == pytest.approx(800, abs=204)
    assert up.samples == pytest.approx(8000, abs=408)


def test_a_gap_of_one_lost_frame_within_a_key_makes_it_at_most_two() -> None:
    pcm = bytearray(dialled([Press("7", duration_ms=300.0)]))
    pcm[2 * 1600 : 2 * 1760] = bytes(320)
    assert heard(bytes(pcm)) in ("7", "77")


@pytest.mark.parametrize(
    "samples",
    [
        voice(-20.0, 20.0),
        noise(-20.0, 20.0),
        sine(697.0, 2.0, 8000),
        sine(1209.0, 2.0, 8000),
        sine(350.0, 2.0, 8000, -16.0) + sine(440.0, 2.0, 8000, -16.0),
        sine(440.0, 2.0, 8000, -16.0) + sine(480.0, 2.0, 8000, -16.0),
        sum((sine(float(hz), 2.0, 8000, -20.0) for hz in (697, 1209, 1900)), np.zeros(16000)),
        sum((sine(float(hz), 2.0, 8000, -20.0) for hz in (697, 770, 1209)), np.zeros(16000)),
    ],
    ids=["voice", "noise", "one tone", "one high tone", "dial tone", "ringing", "three tones", "two rows"],
)
def test_what_is_no_key_is_not_heard_as_one(samples: np.ndarray) -> None:
    assert heard(to_pcm(samples)) == ""


@given(st.lists(st.integers(0, 4000), max_size=8))
def test_splitting_the_stream_makes_no_difference(cuts: list[int]) -> None:
    pcm = dialled([Press("1"), Press("9", twist_db=3.0), Press("#")], snr_db=20.0)
    for rate_hz in (8000, 16000):
        detector = DtmfDetector(rate_hz)
        pieces = [repr(edge) for piece in split(pcm, cuts) for edge in detector.feed(piece)]
        assert pieces == [repr(edge) for edge in DtmfDetector(rate_hz).feed(pcm)]


@given(pcm_of_any_length)
def test_arbitrary_audio_is_taken(pcm: bytes) -> None:
    edges = DtmfDetector(8000).feed(pcm * 3)
    assert [edge.pressed for edge in edges] == [i % 2 == 0 for i in range(len(edges))]


def test_misuse_is_refused() -> None:
    with pytest.raises(RateError):
        DtmfDetector(11025)
    with pytest.raises(FrameSizeError):
        DtmfDetector(8000).feed(b"\x00")
    with pytest.raises(TypeError):
        KeyEdge()
