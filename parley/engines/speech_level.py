"""Make synthetic speech of any engine equally loud, and begin at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TARGET_DBFS = -19.0
"""RMS of the frames with speech; leaves room for peaks of 18 dB."""
PEAK = 32000
FRAME_MS = 10
SILENT_DBFS = -50.0
ACTIVE_BELOW_PEAK_DB = 25.0
LEAD_MS = 10
TAIL_MS = 120


@dataclass(frozen=True, slots=True)
class Levelled:
    """Speech as it is to be played."""

    pcm: bytes
    """Empty if there was no sound."""
    cut_samples: int
    """How many were cut off in front."""


def levelled(pcm: bytes, rate_hz: int) -> bytes:
    """Return the audio of `level()`."""
    return level(pcm, rate_hz).pcm


def level(pcm: bytes, rate_hz: int) -> Levelled:
    """Bring speech to TARGET_DBFS, and cut the silence before it to 10 ms and after it to 120 ms.

    pcm: a whole sentence.   The gain stops where peaks would clip.
    """
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    width = rate_hz * FRAME_MS // 1000
    frames = samples[: len(samples) // width * width].reshape(-1, width)
    levels = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) / 32768 + 1e-9)
    sounding = np.flatnonzero(levels > SILENT_DBFS)
    if not len(sounding):
        return Levelled(b"", 0)
    start = max(0, int(sounding[0]) * width - LEAD_MS * rate_hz // 1000)
    end = (int(sounding[-1]) + 1) * width + TAIL_MS * rate_hz // 1000
    active = frames[levels > levels.max() - ACTIVE_BELOW_PEAK_DB]
    gain = min(10 ** (TARGET_DBFS / 20) * 32768 / np.sqrt((active**2).mean()), PEAK / np.abs(samples).max())
    return Levelled(bytes((samples[start:end] * gain).round().astype("<i2").tobytes()), start)
