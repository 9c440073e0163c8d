from __future__ import annotations

import math
import struct

import pytest

from audio_fork.codecs import FRAME_TICKS, codec_named
from audio_fork.errors import UnknownCodec


def sine(rate_hz: int, samples: int) -> bytes:
    return struct.pack(f"<{samples}h", *(int(8000 * math.sin(2 * math.pi * 440 * n / rate_hz)) for n in range(samples)))


@pytest.mark.parametrize(
    ("name", "payload_type", "rate_hz", "octets"),
    [("ulaw", 0, 8000, 160), ("alaw", 8, 8000, 160), ("g722", 9, 16000, 160), ("slin", 10, 8000, 320)],
)
def test_a_frame_has_the_size_and_the_number_that_asterisk_expects(
    name: str, payload_type: int, rate_hz: int, octets: int
) -> None:
    codec = codec_named(name)
    pcm = sine(rate_hz, rate_hz // 50)
    payload = codec.new_encoder()(pcm)
    assert (codec.payload_type, codec.rate_hz, len(payload)) == (payload_type, rate_hz, octets)
    assert len(payload) == FRAME_TICKS * codec.octets_per_tick
    assert len(codec.new_decoder()(payload)) == len(pcm) == codec.frame_samples * 2
    assert codec.samples_per_tick == rate_hz // 8000


def test_slin_travels_in_network_byte_order() -> None:
    codec = codec_named("slin")
    assert codec.new_encoder()(struct.pack("<3h", 1, -2, 0x1234)) == struct.pack(">3h", 1, -2, 0x1234)
    assert codec.new_decoder()(struct.pack(">h", 258)) == struct.pack("<h", 258)


@pytest.mark.parametrize("name", ["ulaw", "alaw"])
def test_companding_keeps_a_sine_within_its_quantisation(name: str) -> None:
    codec = codec_named(name)
    pcm = sine(8000, 160)
    back = codec.new_decoder()(codec.new_encoder()(pcm))
    pairs = zip(struct.unpack("<160h", pcm), struct.unpack("<160h", back), strict=True)
    assert all(abs(a - b) <= max(8, abs(a) // 16) for a, b in pairs)


@pytest.mark.parametrize("name", ["slin16", "opus", "ULAW", ""])
def test_codecs_that_do_not_come_back_from_asterisk_are_refused_with_those_that_do(name: str) -> None:
    with pytest.raises(UnknownCodec, match="ulaw, alaw, g722, slin"):
        codec_named(name)
