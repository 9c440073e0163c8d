from __future__ import annotations

import math
import struct

import pytest

from audio_fork.codecs import check_audiosocket_codec, check_rtp_codec, websocket_codec
from audio_fork.errors import UnknownCodec


def sine(rate_hz: int, samples: int) -> bytes:
    return struct.pack(f"<{samples}h", *(int(8000 * math.sin(2 * math.pi * 440 * n / rate_hz)) for n in range(samples)))


@pytest.mark.parametrize(
    ("name", "rate_hz", "octets"),
    [("ulaw", 8000, 160), ("alaw", 8000, 160), ("slin", 8000, 320), ("slin16", 16000, 640)],
)
def test_a_frame_has_the_size_that_asterisk_expects(name: str, rate_hz: int, octets: int) -> None:
    codec = websocket_codec(name)
    pcm = sine(rate_hz, rate_hz // 50)
    payload = codec.encode(pcm)
    assert (codec.rate_hz, codec.frame_octets, len(payload)) == (rate_hz, octets, octets)
    assert len(pcm) == codec.frame_samples * 2


def test_slin_travels_over_connections_as_it_is() -> None:
    codec = websocket_codec("slin")
    assert codec.encode(b"\x01\x02") == b"\x01\x02"


@pytest.mark.parametrize("name", ["slin16", "opus", "ULAW", ""])
def test_codecs_that_do_not_come_back_from_asterisk_are_refused_with_those_that_do(name: str) -> None:
    with pytest.raises(UnknownCodec, match="ulaw, alaw, slin, g722"):
        check_rtp_codec(name)


def test_companded_audio_is_refused_over_audiosocket_where_asterisk_takes_it_for_linear() -> None:
    for name in ("slin", "slin16"):
        check_audiosocket_codec(name)
    with pytest.raises(UnknownCodec, match="slin, slin16"):
        check_audiosocket_codec("ulaw")
