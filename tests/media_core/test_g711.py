"""G.711 against the tables of the standard, over every code there is."""

import importlib
import struct
import warnings

import pytest
from hypothesis import given

from media_core import FrameSizeError, alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from tests.media_core import reference
from tests.media_core.signals import pcm_of_any_length

ALL_SAMPLES = struct.pack("<65536h", *range(-32768, 32768))
ALL_CODES = bytes(range(256))


def test_ulaw_encodes_every_sample_as_the_decision_values_say() -> None:
    assert ulaw_encode(ALL_SAMPLES) == reference.ulaw_encode(ALL_SAMPLES)


def test_ulaw_decodes_every_code_to_the_middle_of_its_interval() -> None:
    assert ulaw_decode(ALL_CODES) == reference.ulaw_decode(ALL_CODES)


def test_alaw_encodes_every_sample_as_the_decision_values_say() -> None:
    assert alaw_encode(ALL_SAMPLES) == reference.alaw_encode(ALL_SAMPLES)


def test_alaw_decodes_every_code_to_the_middle_of_its_interval() -> None:
    assert alaw_decode(ALL_CODES) == reference.alaw_decode(ALL_CODES)


def test_known_codes_of_the_standard() -> None:
    # G.711 tables 1a and 2a: zero, the greatest value of each sign, and silence as it is on the line.
    assert ulaw_encode(struct.pack("<4h", 0, 32767, -32768, -4)) == b"\xff\x80\x00\x7e"
    assert struct.unpack("<3h", ulaw_decode(b"\xff\x80\x00")) == (0, 32124, -32124)
    assert alaw_encode(struct.pack("<4h", 0, 32767, -32768, -1)) == b"\xd5\xaa\x2a\x55"
    assert struct.unpack("<3h", alaw_decode(b"\xd5\xaa\x2a")) == (8, 32256, -32256)


def test_every_code_survives_decoding_and_encoding() -> None:
    assert alaw_encode(alaw_decode(ALL_CODES)) == ALL_CODES
    # µ-law has two zeros; the negative one comes back as the positive.
    assert ulaw_encode(ulaw_decode(ALL_CODES)) == ALL_CODES.replace(b"\x7f", b"\xff")


def test_all_codes_agree_with_audioop_where_python_has_it() -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            audioop = importlib.import_module("audioop")
    except ImportError:
        pytest.skip("audioop has left the standard library in Python 3.13")
    assert ulaw_encode(ALL_SAMPLES) == audioop.lin2ulaw(ALL_SAMPLES, 2)
    assert alaw_encode(ALL_SAMPLES) == audioop.lin2alaw(ALL_SAMPLES, 2)
    assert ulaw_decode(ALL_CODES) == audioop.ulaw2lin(ALL_CODES, 2)
    assert alaw_decode(ALL_CODES) == audioop.alaw2lin(ALL_CODES, 2)


@given(pcm_of_any_length)
def test_frames_of_any_length_are_encoded_sample_by_sample(pcm: bytes) -> None:
    assert ulaw_encode(pcm) == reference.ulaw_encode(pcm)
    assert alaw_encode(pcm) == reference.alaw_encode(pcm)


def test_nothing_in_gives_nothing_out() -> None:
    assert ulaw_encode(b"") == alaw_encode(b"") == ulaw_decode(b"") == alaw_decode(b"") == b""


def test_half_a_sample_is_refused() -> None:
    for encode in (ulaw_encode, alaw_encode):
        with pytest.raises(FrameSizeError):
            encode(b"\x00\x01\x02")
