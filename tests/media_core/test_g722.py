"""G.722 against vectors of another implementation, spandsp, and against that itself where it is to be had."""

import ctypes
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_core import FrameSizeError, G722Decoder, G722Encoder
from tests.media_core.signals import noise, sine, split, to_pcm, to_samples, voice
from tools import spandsp

DELAY_SAMPLES = 22
"""Of the two quadrature mirror filters together (ITU-T G.722 §1.4.4)."""


def pseudo_speech(samples: int) -> bytes:
    """Make a deterministic signal from integers alone: a triangle of falling pitch with bursts of noise."""
    state = 1
    values = []
    for i in range(samples):
        state = (state * 1103515245 + 12345) % 2**31
        period = 40 + i // 100 % 200
        triangle = abs(i % period - period // 2) * 24000 // period - 6000
        burst = (state >> 16) % 8000 - 4000 if i // 1600 % 3 == 2 else 0
        values.append(triangle + burst)
    return struct.pack(f"<{samples}h", *values)


ENCODED_START = bytes.fromhex("962484208520a02aaf36fddb5692108ed1d6d9defdf8f471ae2d70f5f8fbdfdc")
ENCODED_SHA256 = "3ee018ffa11666bf6eee0c53807beaaeae47db89d21d5c46eaa60d3585763f5a"
DECODED_START = bytes.fromhex("ffff00000000ffffffff00000000fdffffff0a00feffdcff00005300faff57ff")
DECODED_SHA256 = "887d577129ef86d0889c33d60900340c7cb422914403748710f8a10956cb246a"
"""What spandsp 0.0.6 makes of `pseudo_speech(32000)`."""


def snr_db(pcm: bytes) -> float:
    """Encode and decode, and compare with what went in."""
    decoded = to_samples(G722Decoder().decode(G722Encoder().encode(pcm)))[DELAY_SAMPLES:]
    sent = to_samples(pcm)[: len(decoded)]
    return float(10.0 * np.log10(np.sum(sent**2) / np.sum((decoded - sent) ** 2)))


def test_encoder_gives_the_golden_vector() -> None:
    payload = G722Encoder().encode(pseudo_speech(32000))
    assert payload[:32] == ENCODED_START
    assert hashlib.sha256(payload).hexdigest() == ENCODED_SHA256


def test_decoder_gives_the_golden_vector() -> None:
    pcm = G722Decoder().decode(G722Encoder().encode(pseudo_speech(32000)))
    assert pcm[:32] == DECODED_START
    assert hashlib.sha256(pcm).hexdigest() == DECODED_SHA256


@pytest.mark.parametrize(("frequency_hz", "least_db"), [(300, 30), (1000, 30), (3000, 25), (6000, 10)])
def test_a_tone_survives_the_round_trip(frequency_hz: int, least_db: float) -> None:
    assert snr_db(to_pcm(sine(frequency_hz, 1.0, 16000))) > least_db


def test_a_voice_survives_the_round_trip() -> None:
    assert snr_db(to_pcm(voice(-20.0, 2.0, 16000))) > 20.0


@given(st.lists(st.integers(0, 500), max_size=5))
def test_splitting_the_stream_makes_no_difference(cuts: list[int]) -> None:
    pcm = pseudo_speech(1000)
    encoder, decoder = G722Encoder(), G722Decoder()
    payloads = [encoder.encode(piece) for piece in split(pcm, [2 * cut for cut in cuts])]
    assert b"".join(payloads) == G722Encoder().encode(pcm)
    assert b"".join(decoder.decode(payload) for payload in payloads) == G722Decoder().decode(b"".join(payloads))


@given(st.binary(min_size=200, max_size=400))
def test_arbitrary_octets_decode_to_two_samples_each(payload: bytes) -> None:
    assert len(G722Decoder().decode(payload)) == 4 * len(payload)


def test_a_full_scale_square_wave_saturates_and_does_not_wrap() -> None:
    wave = np.where(np.arange(16000) // 40 % 2, 32767.0, -32768.0)
    decoded = to_samples(G722Decoder().decode(G722Encoder().encode(to_pcm(wave))))[DELAY_SAMPLES:]
    sent = wave[: len(decoded)]
    middle = np.arange(len(decoded)) % 40 // 10 == 2
    assert np.all(np.sign(decoded[1000:][middle[1000:]]) == np.sign(sent[1000:][middle[1000:]]))


def test_nothing_in_gives_nothing_out() -> None:
    assert G722Encoder().encode(b"") == G722Decoder().decode(b"") == b""


@pytest.mark.parametrize("octets", [1, 2, 3, 6, 319])
def test_half_a_pair_of_samples_is_refused(octets: int) -> None:
    with pytest.raises(FrameSizeError):
        G722Encoder().encode(bytes(octets))


@pytest.mark.parametrize("level_dbfs", [-60.0, -40.0, -20.0])
def test_encoder_and_decoder_agree_bit_for_bit_with_spandsp(level_dbfs: float) -> None:
    library = spandsp.load()
    if library is None:
        pytest.skip("libspandsp is not to be had: compared with its golden vectors only")
    pcm = to_pcm(noise(level_dbfs, 1.0, 16000) + voice(level_dbfs, 1.0, 16000))
    for init in (library.g722_encode_init, library.g722_decode_init):
        init.restype = ctypes.c_void_p
        init.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
    for convert in (library.g722_encode, library.g722_decode):
        convert.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int)
    encoder = library.g722_encode_init(None, 64000, 0)
    decoder = library.g722_decode_init(None, 64000, 0)
    payload = ctypes.create_string_buffer(len(pcm) // 4)
    decoded = ctypes.create_string_buffer(len(pcm))
    library.g722_encode(encoder, payload, pcm, len(pcm) // 2)
    library.g722_decode(decoder, decoded, payload.raw, len(payload.raw))
    library.g722_encode_free(ctypes.c_void_p(encoder))
    library.g722_decode_free(ctypes.c_void_p(decoder))
    assert G722Encoder().encode(pcm) == payload.raw
    assert G722Decoder().decode(payload.raw) == decoded.raw
