"""Codecs that travel over RTP between Asterisk and us, by the names that Asterisk gives them.

Both directions work with Asterisk's externalMedia for static payload types only: `slin16` and `opus` are never
sent back to the caller (no receive map for payload types above 34), so they are not offered here.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

from audio_fork.errors import UnknownCodec
from media_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from media_core.g722 import G722Decoder, G722Encoder

RTP_CLOCK_HZ = 8000
"""RTP clock of every codec here; G.722's too, although it carries 16 kHz (RFC 3551 §4.5.2)."""
FRAME_TICKS = 160
"""20 ms in units of the RTP clock."""

Transcode = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Codec:
    """How PCM becomes payload and back."""

    name: str
    payload_type: int
    rate_hz: int
    """Rate of the PCM."""
    octets_per_tick: int
    """Payload octets per unit of the RTP clock."""
    new_encoder: Callable[[], Transcode]
    """Makes the encoder of one stream: int16 little-endian mono PCM to payload."""
    new_decoder: Callable[[], Transcode]
    """Makes the decoder of one stream: payload to int16 little-endian mono PCM."""

    @property
    def frame_samples(self) -> int:
        """PCM samples in 20 ms."""
        return self.rate_hz // 50

    @property
    def samples_per_tick(self) -> int:
        """PCM samples per unit of the RTP clock."""
        return self.rate_hz // RTP_CLOCK_HZ


def codec_named(name: str) -> Codec:
    """Return the codec of this name. Raises UnknownCodec."""
    try:
        return _CODECS[name]
    except KeyError:
        raise UnknownCodec(f"codec {name!r} is not available over RTP; use one of {', '.join(_CODECS)}") from None


def _swap_octets(pcm: bytes) -> bytes:
    """Turn little-endian samples into network order, and back."""
    samples = array("h", pcm)
    samples.byteswap()
    return samples.tobytes()


_CODECS = {
    codec.name: codec
    for codec in (
        Codec("ulaw", 0, 8000, 1, lambda: ulaw_encode, lambda: ulaw_decode),
        Codec("alaw", 8, 8000, 1, lambda: alaw_encode, lambda: alaw_decode),
        Codec("g722", 9, 16000, 1, lambda: G722Encoder().encode, lambda: G722Decoder().decode),
        Codec("slin", 10, 8000, 2, lambda: _swap_octets, lambda: _swap_octets),
    )
}
