"""Codecs that travel between the PBX and us, by the names that Asterisk gives them.

Over RTP both directions work for static payload types only: Asterisk's externalMedia never sends `slin16` and `opus`
back to the caller (no receive map for payload types above 34). Over AudioSocket it takes companded audio for linear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from audio_fork.errors import UnknownCodec
from media_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

RTP_RATES_HZ = {"ulaw": 8000, "alaw": 8000, "slin": 8000, "g722": 16000}
"""Rate of the PCM of each codec that travels over RTP; the media engine translates them."""

Transcode = Callable[[bytes], bytes]
Offered = TypeVar("Offered")


@dataclass(frozen=True, slots=True)
class Codec:
    """How PCM becomes payload and back, on connections that we translate for."""

    name: str
    rate_hz: int
    """Rate of the PCM."""
    octets_per_sample: int
    """Payload octets per sample."""
    new_encoder: Callable[[], Transcode]
    """Makes the encoder of one stream: int16 little-endian mono PCM to payload."""
    new_decoder: Callable[[], Transcode]
    """Makes the decoder of one stream: payload to int16 little-endian mono PCM."""

    @property
    def frame_samples(self) -> int:
        """PCM samples in 20 ms."""
        return self.rate_hz // 50

    @property
    def frame_octets(self) -> int:
        """Payload octets in 20 ms."""
        return self.frame_samples * self.octets_per_sample


def rtp_rate_hz(name: str) -> int:
    """Return the rate of the PCM of a codec over RTP. Raises UnknownCodec."""
    return _chosen(name, RTP_RATES_HZ, "RTP")


def audiosocket_codec(name: str) -> Codec:
    """Return the codec of this name for AudioSocket. Raises UnknownCodec."""
    return _chosen(name, _OVER_AUDIOSOCKET, "AudioSocket")


def websocket_codec(name: str) -> Codec:
    """Return the codec of this name for Asterisk's WebSocket channel. Raises UnknownCodec."""
    return _chosen(name, _OVER_WEBSOCKET, "WebSocket")


def _chosen(name: str, offered: Mapping[str, Offered], transport: str) -> Offered:
    try:
        return offered[name]
    except KeyError:
        raise UnknownCodec(
            f"codec {name!r} is not available over {transport}; use one of {', '.join(offered)}"
        ) from None


def _as_it_is(pcm: bytes) -> bytes:
    return pcm


def _linear(name: str, rate_hz: int) -> Codec:
    """Return linear PCM as it travels over connections: little-endian."""
    return Codec(name, rate_hz, 2, lambda: _as_it_is, lambda: _as_it_is)


_ULAW = Codec("ulaw", 8000, 1, lambda: ulaw_encode, lambda: ulaw_decode)
_ALAW = Codec("alaw", 8000, 1, lambda: alaw_encode, lambda: alaw_decode)
_SLIN, _SLIN16 = _linear("slin", 8000), _linear("slin16", 16000)

_OVER_AUDIOSOCKET = {"slin": _SLIN, "slin16": _SLIN16}
_OVER_WEBSOCKET = {"slin": _SLIN, "slin16": _SLIN16, "ulaw": _ULAW, "alaw": _ALAW}
