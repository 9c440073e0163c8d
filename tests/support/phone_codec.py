"""G.711 for the test phone, from the Recommendation's formulas by way of numpy tables.

Deliberately not media_core's: a fault there must not cancel itself out at the other end of the call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]


def _ulaw_levels() -> Samples:
    """Return the linear value of each µ-law octet (ITU-T G.711, table 2)."""
    octets = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((octets & 0x0F) << 3) + 0x84) << ((octets >> 4) & 0x07)) - 0x84
    return np.where(octets & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_levels() -> Samples:
    """Return the linear value of each A-law octet (ITU-T G.711, table 1)."""
    octets = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (octets >> 4) & 0x07
    mantissa = (octets & 0x0F) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(octets & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest_octets(levels: Samples) -> npt.NDArray[np.uint8]:
    """Return, for every 16-bit value from -32768 on, the octet whose level lies nearest."""
    order = np.argsort(levels, kind="stable")
    ordered = levels[order].astype(np.int32)
    borders = (ordered[:-1] + ordered[1:] + 1) // 2
    places = np.searchsorted(borders, np.arange(-32768, 32768), side="right")
    return order[places].astype(np.uint8)


@dataclass(frozen=True)
class PhoneCodec:
    """One of the two G.711 laws, with its place in RTP/AVP (RFC 3551)."""

    name: str
    """As in SDP."""
    payload_type: int
    levels: Samples
    octets: npt.NDArray[np.uint8]

    def encode(self, pcm: bytes) -> bytes:
        """Encode int16 little-endian samples, one octet each."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.int32)
        return self.octets[samples + 32768].tobytes()

    def decode(self, payload: bytes) -> bytes:
        """Decode octets to int16 little-endian samples."""
        return self.levels[np.frombuffer(payload, dtype=np.uint8)].astype("<i2").tobytes()


def _codec(name: str, payload_type: int, levels: Samples) -> PhoneCodec:
    return PhoneCodec(name, payload_type, levels, _nearest_octets(levels))


ULAW = _codec("PCMU", 0, _ulaw_levels())
ALAW = _codec("PCMA", 8, _alaw_levels())
CODECS = {codec.payload_type: codec for codec in (ULAW, ALAW)}
