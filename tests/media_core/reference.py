"""Slow second versions of what media_core does, written from the standards: the oracle of its tests."""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ULAW_BOUNDS = [((32 + 2 * step) << segment) - 33 for segment in range(8) for step in range(16)]
"""Decision values of G.711 table 2a, 14 bits: least magnitude of each of the 128 intervals."""
ALAW_BOUNDS = [2 * step for step in range(16)] + [
    (32 + 2 * step) << (segment - 1) for segment in range(1, 8) for step in range(16)
]
"""Decision values of G.711 table 1a, 13 bits: least magnitude of each of the 128 intervals."""


def ulaw_encode(pcm: bytes) -> bytes:
    """Look each magnitude up among the decision values; all bits are inverted on the line."""
    return bytes(
        (bisect_right(ULAW_BOUNDS, abs(value >> 2)) - 1) ^ (0x7F if value < 0 else 0xFF)
        for (value,) in struct.iter_unpack("<h", pcm)
    )


def ulaw_decode(payload: bytes) -> bytes:
    """Expand to the middle between two decision values; the first interval stands for 0."""
    values = []
    for octet in payload:
        interval = (octet ^ 0xFF) & 0x7F
        lower = ULAW_BOUNDS[interval]
        width = 2 << (interval >> 4)
        magnitude = 4 * (lower + width // 2)
        values.append(magnitude if octet & 0x80 else -magnitude)
    return struct.pack(f"<{len(values)}h", *values)


def alaw_encode(pcm: bytes) -> bytes:
    """Look each magnitude up among the decision values; the even bits are inverted on the line."""
    codes = []
    for (value,) in struct.iter_unpack("<h", pcm):
        sample = value >> 3
        magnitude = sample if sample >= 0 else -sample - 1
        codes.append((bisect_right(ALAW_BOUNDS, magnitude) - 1) ^ (0xD5 if sample >= 0 else 0x55))
    return bytes(codes)


def alaw_decode(payload: bytes) -> bytes:
    """Expand to the middle between two decision values."""
    values = []
    for octet in payload:
        interval = (octet ^ 0x55) & 0x7F
        width = 2 << max((interval >> 4) - 1, 0)
        magnitude = 8 * (ALAW_BOUNDS[interval] + width // 2)
        values.append(magnitude if octet & 0x80 else -magnitude)
    return struct.pack(f"<{len(values)}h", *values)


def level_dbfs(pcm: bytes) -> float:
    """Measure the RMS level over 32768."""
    values = [value for (value,) in struct.iter_unpack("<h", pcm)]
    square = sum(value * value for value in values) / len(values) if values else 0.0
    return max(-100.0, 10.0 * math.log10(square / 32768.0**2)) if square else -100.0


def resample(pcm: bytes, from_hz: int, to_hz: int) -> NDArray[np.float64]:
    """Convolve with one windowed sinc at the common rate, multiplying each output by each input."""
    divisor = math.gcd(from_hz, to_hz)
    up, down = to_hz // divisor, from_hz // divisor
    ratio = max(1.0, from_hz / to_hz)
    half = 8 * math.ceil(32 * ratio / 8) * up // 2
    window = np.kaiser(2 * half + 1, 8.0)
    window[[0, -1]] = 0.0
    response = np.sinc(0.96 * np.arange(-half, half + 1) / (up * ratio)) * window
    for phase in range(up):
        response[phase::up] /= response[phase::up].sum()
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    distance = np.arange(0, len(samples) * up, down)[:, None] - up * np.arange(len(samples))[None, :]
    inside = (distance >= 0) & (distance <= 2 * half)
    converted: NDArray[np.float64] = np.where(inside, response[distance.clip(0, 2 * half)], 0.0) @ samples
    return converted


@dataclass(frozen=True, slots=True)
class Rtp:
    """What an RTP packet holds."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse_rtp(datagram: bytes) -> Rtp | None:
    """Cut the parts off one after the other (RFC 3550 §5.1); None where one is missing."""
    if len(datagram) < 12 or datagram[0] >> 6 != 2 or 192 <= datagram[1] <= 223:
        return None
    first, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", datagram[:12])
    rest = datagram[12:]
    csrcs = first & 15
    if len(rest) < 4 * csrcs:
        return None
    rest = rest[4 * csrcs :]
    if first & 0x10:
        if len(rest) < 4:
            return None
        (words,) = struct.unpack("!H", rest[2:4])
        if len(rest) < 4 + 4 * words:
            return None
        rest = rest[4 + 4 * words :]
    if first & 0x20:
        if not rest or not 1 <= rest[-1] <= len(rest):
            return None
        rest = rest[: len(rest) - rest[-1]]
    return Rtp(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, rest)
