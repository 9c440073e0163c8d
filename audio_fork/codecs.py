"""Codecs that travel between the PBX and us, by the names that Asterisk gives them.

Over RTP both directions work for static payload types only: Asterisk's externalMedia never sends `slin16` and `opus`
back to the caller (no receive map for payload types above 34). Over AudioSocket it takes companded audio for linear.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

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
    rate_hz: int
    """Rate of the PCM."""
    clock_hz: int
    """Ticks a second: of RTP where the codec travels over it, else samples."""
    octets_per_tick: int
    """Payload octets per tick."""
    new_encoder: Callable[[], Transcode]
    """Makes the encoder of one stream: int16 little-endian mono PCM to payload."""
    new_decoder: Callable[[], Transcode]
    """Makes the decoder of one stream: payload to int16 little-endian mono PCM."""

    @property
    def frame_samples(self) -> int:
        """PCM samples in 20 ms."""
        return self.rate_hz // 50

    @property
    def frame_ticks(self) -> int:
        """Ticks in 20 ms."""
        return self.clock_hz // 50

    @property
    def frame_octets(self) -> int:
        """Payload octets in 20 ms."""
        return self.frame_ticks * self.octets_per_tick

    @property
    def samples_per_tick(self) -> int:
        """PCM samples per tick."""
        return self.rate_hz // self.clock_hz


@dataclass(frozen=True, slots=True)
class RtpCodec(Codec):
    """A codec with its place in RTP."""

    payload_type: int


AnyCodec = TypeVar("AnyCodec", bound=Codec)


def codec_named(name: str) -> RtpCodec:
    """Return the codec of this name for RTP. Raises UnknownCodec."""
    return _chosen(name, _OVER_RTP, "RTP")


def audiosocket_codec(name: str) -> Codec:
    """Return the codec of this name for AudioSocket. Raises UnknownCodec."""
    return _chosen(name, _OVER_AUDIOSOCKET, "AudioSocket")


def websocket_codec(name: str) -> Codec:
    """Return the codec of this name for Asterisk's WebSocket channel. Raises UnknownCodec."""
    return _chosen(name, _OVER_WEBSOCKET, "WebSocket")


def _chosen(name: str, offered: Mapping[str, AnyCodec], transport: str) -> AnyCodec:
    try:
        return offered[name]
    except KeyError:
        raise UnknownCodec(
            f"codec {name!r} is not available over {transport}; use one of {', '.join(offered)}"
        ) from None


def _swap_octets(pcm: bytes) -> bytes:
    """Turn little-endian samples into network order, and back."""
    samples = array("h", pcm)
    samples.byteswap()
    return samples.tobytes()


def _as_it_is(pcm: bytes) -> bytes:
    return pcm


def _by_name(codecs: Iterable[AnyCodec]) -> dict[str, AnyCodec]:
    return {codec.name: codec for codec in codecs}


def _linear(name: str, rate_hz: int) -> Codec:
    """Return linear PCM as it travels over connections: little-endian."""
    return Codec(name, rate_hz, rate_hz, 2, lambda: _as_it_is, lambda: _as_it_is)


_ULAW = RtpCodec("ulaw", 8000, RTP_CLOCK_HZ, 1, lambda: ulaw_encode, lambda: ulaw_decode, 0)
_ALAW = RtpCodec("alaw", 8000, RTP_CLOCK_HZ, 1, lambda: alaw_encode, lambda: alaw_decode, 8)
_G722 = RtpCodec("g722", 16000, RTP_CLOCK_HZ, 1, lambda: G722Encoder().encode, lambda: G722Decoder().decode, 9)
_RTP_SLIN = RtpCodec("slin", 8000, RTP_CLOCK_HZ, 2, lambda: _swap_octets, lambda: _swap_octets, 10)
_SLIN, _SLIN16 = _linear("slin", 8000), _linear("slin16", 16000)

_OVER_RTP = _by_name((_ULAW, _ALAW, _G722, _RTP_SLIN))
_OVER_AUDIOSOCKET = _by_name((_SLIN, _SLIN16))
_OVER_WEBSOCKET: dict[str, Codec] = {"slin": _SLIN, "slin16": _SLIN16, "ulaw": _ULAW, "alaw": _ALAW}
