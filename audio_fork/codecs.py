"""Codecs that travel between the PBX and us, by the names that Asterisk gives them.

Over RTP both directions work for static payload types only: Asterisk's externalMedia never sends `slin16` and `opus`
back to the caller (no receive map for payload types above 34). Over AudioSocket it takes companded audio for linear.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from audio_fork.errors import UnknownCodec
from media_core.g711 import alaw_encode, ulaw_encode

RTP_CODECS = ("ulaw", "alaw", "slin", "g722")
AUDIOSOCKET_CODECS = ("slin", "slin16")


@dataclass(frozen=True, slots=True)
class Codec:
    """How PCM becomes payload on connections that we send ahead over."""

    name: str
    rate_hz: int
    """Rate of the PCM."""
    octets_per_sample: int
    """Payload octets per sample."""
    encode: Callable[[bytes], bytes]
    """int16 little-endian mono PCM to payload."""

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


_OVER_WEBSOCKET = {
    "slin": Codec("slin", 8000, 2, _as_it_is),
    "slin16": Codec("slin16", 16000, 2, _as_it_is),
    "ulaw": Codec("ulaw", 8000, 1, ulaw_encode),
    "alaw": Codec("alaw", 8000, 1, alaw_encode),
}
"""Linear PCM travels over connections as it is: little-endian."""
