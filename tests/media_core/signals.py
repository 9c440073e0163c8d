"""Signals for the tests, made from arithmetic alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Samples = NDArray[np.float64]

pcm_of_any_length = st.binary(max_size=2000).map(lambda octets: octets[: len(octets) // 2 * 2])
"""Arbitrary PCM: noise of every level, edges included."""


def to_pcm(samples: Samples) -> bytes:
    """Round and saturate."""
    return samples.round().clip(-32768, 32767).astype("<i2").tobytes()


def to_samples(pcm: bytes) -> Samples:
    """Read PCM as numbers."""
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def amplitude(level_dbfs: float) -> float:
    """RMS of this level."""
    return float(32768.0 * 10.0 ** (level_dbfs / 20.0))


def sine(frequency_hz: float, seconds: float, rate_hz: int, level_dbfs: float = -10.0) -> Samples:
    """Make a sine of this RMS level."""
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    samples: Samples = amplitude(level_dbfs) * np.sqrt(2.0) * np.sin(2.0 * np.pi * frequency_hz * times)
    return samples


def noise(level_dbfs: float, seconds: float, rate_hz: int = 8000, seed: int = 1) -> Samples:
    """Make white noise."""
    return np.random.default_rng(seed).normal(0.0, amplitude(level_dbfs), int(seconds * rate_hz))


def voice(level_dbfs: float, seconds: float, rate_hz: int = 8000) -> Samples:
    """Make something like a voice: harmonics of a gliding 120 Hz, four syllables a second."""
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    phase = 2.0 * np.pi * (120.0 * times + 5.0 * np.sin(2.0 * np.pi * times))
    harmonics = sum((np.sin(k * phase) / k for k in range(1, 20)), np.zeros(len(times)))
    syllables = 0.15 + np.abs(np.sin(2.0 * np.pi * 2.0 * times + 0.5))
    shaped: Samples = harmonics * syllables
    shaped *= amplitude(level_dbfs) / np.sqrt(np.mean(shaped**2))
    return shaped


def split(pcm: bytes, cuts: list[int]) -> list[bytes]:
    """Cut PCM at these samples."""
    places = sorted({2 * min(cut, len(pcm) // 2) for cut in cuts} | {0, len(pcm)})
    return [pcm[start:end] for start, end in pairwise(places)] or [b""]
