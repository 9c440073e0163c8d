"""Codecs that travel between the PBX and us, by the names that Asterisk gives them.

Over RTP both directions work for static payload types only: Asterisk's externalMedia never sends `slin16` and `opus`
back to the caller (no receive map for payload types above 34). Over AudioSocket it takes companded audio for linear.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from audio_fork.errors import UnknownCodec
from media_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

RTP_CODECS = ("ulaw", "alaw", "slin", "g722")
AUDIOSOCKET_CODECS = ("slin", "slin16")

Transcode = Callable[[bytes], bytes]


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


def check_rtp_codec(name: str) -> None:
    """Raise UnknownCodec where this codec does not travel over RTP."""
    _check(name, RTP_CODECS, "RTP")


def check_audiosocket_codec(name: str) -> None:
    """Raise UnknownCodec where this codec does not travel over AudioSocket."""
    _check(name, AUDIOSOCKET_CODECS, "AudioSocket")


def websocket_codec(name: str) -> Codec:
    """Return the codec of this name for Asterisk's WebSocket channel. Raises UnknownCodec."""
    _check(name, _OVER_WEBSOCKET, "WebSocket")
    return _OVER_WEBSOCKET[name]


def _check(name: str, offered: Collection[str], transport: str) -> None:
    if name not in offered:
        raise UnknownCodec(f"codec {name!r} is not available over {transport}; use one of {', '.join(offered)}")


def _as_it_is(pcm: bytes) -> bytes:
    return pcm


def _linear(name: str, rate_hz: int) -> Codec:
    """Return linear PCM as it travels over connections: little-endian."""
    return Codec(name, rate_hz, 2, lambda: _as_it_is, lambda: _as_it_is)


_ULAW = Codec("ulaw", 8000, 1, lambda: ulaw_encode, lambda: ulaw_decode)
_ALAW = Codec("alaw", 8000, 1, lambda: alaw_encode, lambda: alaw_decode)
_SLIN, _SLIN16 = _linear("slin", 8000), _linear("slin16", 16000)

_OVER_WEBSOCKET = {"slin": _SLIN, "slin16": _SLIN16, "ulaw": _ULAW, "alaw": _ALAW}
