"""Keys as tones, made to the limits of what lines do to them (ITU-T Q.23, Q.24)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from media_core import ulaw_decode, ulaw_encode
from tests.media_core.signals import Samples, amplitude, to_pcm

LOW_HZ = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
KEYPAD = "123A456B789C*0#D"


@dataclass(frozen=True, slots=True)
class Press:
    """How one key sounds; the defaults are those of a good telephone."""

    digit: str
    duration_ms: float = 70.0
    pause_ms: float = 70.0
    level_dbfs: float = -16.0
    """Of both tones on average."""
    twist_db: float = 0.0
    """High tone over low tone."""
    low_offset: float = 0.0
    """Of the low tone's frequency, as a share of it."""
    high_offset: float = 0.0


def sound(press: Press, rate_hz: int = 8000) -> Samples:
    """Make the key and the pause after it."""
    place = KEYPAD.index(press.digit)
    times = np.arange(int(press.duration_ms * rate_hz / 1000)) / rate_hz
    low_hz = LOW_HZ[place // 4] * (1.0 + press.low_offset)
    high_hz = HIGH_HZ[place % 4] * (1.0 + press.high_offset)
    peak = amplitude(press.level_dbfs) * np.sqrt(2.0)
    low = peak * 10 ** (-press.twist_db / 40) * np.sin(2 * np.pi * low_hz * times)
    high = peak * 10 ** (press.twist_db / 40) * np.sin(2 * np.pi * high_hz * times + place)
    return np.concatenate([low + high, np.zeros(int(press.pause_ms * rate_hz / 1000))])


def dialled(presses: Sequence[Press], *, snr_db: float | None = None, rate_hz: int = 8000, seed: int = 1) -> bytes:
    """Make keys in a row on a µ-law line, with white noise so far below their level."""
    line = np.concatenate([np.zeros(rate_hz // 20), *(sound(press, rate_hz) for press in presses)])
    if snr_db is not None:
        level = amplitude(presses[0].level_dbfs - snr_db)
        line = line + np.random.default_rng(seed).normal(0.0, level, len(line))
    return ulaw_decode(ulaw_encode(to_pcm(line)))
