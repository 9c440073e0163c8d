"""Small operations on PCM."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_core import FrameSizeError, RateError, fade_out, interleave, level_dbfs, silence
from tests.media_core import reference
from tests.media_core.signals import pcm_of_any_length, sine, to_pcm


@given(pcm_of_any_length)
def test_level_is_that_of_the_reference(pcm: bytes) -> None:
    assert level_dbfs(pcm) == pytest.approx(reference.level_dbfs(pcm), abs=1e-9)


def test_known_levels() -> None:
    assert level_dbfs(struct.pack("<2h", -32768, -32768)) == 0.0
    assert level_dbfs(to_pcm(sine(1000.0, 1.0, 8000, -3.02))) == pytest.approx(-3.02, abs=0.01)
    assert level_dbfs(bytes(320)) == level_dbfs(b"") == -100.0


def test_silence_has_the_length_asked_for() -> None:
    assert silence(20, 8000) == bytes(320)
    assert silence(0, 16000) == b""
    with pytest.raises(FrameSizeError):
        silence(-1, 8000)
    with pytest.raises(RateError):
        silence(20, 0)


@given(pcm_of_any_length, st.integers(0, 1200))
def test_a_fade_leaves_what_is_before_it_and_never_grows(pcm: bytes, samples: int) -> None:
    faded = fade_out(pcm, samples)
    kept = max(0, len(pcm) // 2 - samples) * 2
    assert len(faded) == len(pcm)
    assert faded[:kept] == pcm[:kept]
    values = struct.iter_unpack("<h", pcm[kept:])
    assert all(
        abs(new) <= abs(old) for (old,), (new,) in zip(values, struct.iter_unpack("<h", faded[kept:]), strict=True)
    )


def test_a_fade_goes_down_in_a_straight_line_to_silence() -> None:
    assert struct.unpack("<6h", fade_out(struct.pack("<6h", *[1000] * 6), 4)) == (1000, 1000, 750, 500, 250, 0)


@given(pcm_of_any_length, pcm_of_any_length)
def test_channels_come_apart_again(left: bytes, right: bytes) -> None:
    stereo = interleave(left, right)
    samples = max(len(left), len(right)) // 2
    values = struct.unpack(f"<{2 * samples}h", stereo)
    assert struct.pack(f"<{samples}h", *values[::2]) == left.ljust(2 * samples, b"\0")
    assert struct.pack(f"<{samples}h", *values[1::2]) == right.ljust(2 * samples, b"\0")


def test_half_a_sample_is_refused() -> None:
    odd = b"\x00"
    with pytest.raises(FrameSizeError):
        level_dbfs(odd)
    with pytest.raises(FrameSizeError):
        fade_out(odd, 1)
    with pytest.raises(FrameSizeError):
        fade_out(b"", -1)
    with pytest.raises(FrameSizeError):
        interleave(odd, b"")
    with pytest.raises(FrameSizeError):
        interleave(b"", odd)
