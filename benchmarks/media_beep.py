"""Beeps of answering machines: found over frequency, level, duration and noise; not found in speech."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product

import numpy as np

from benchmarks.figures import Case
from benchmarks.media_dtmf import RATE_HZ, Samples, over_the_line, talk
from media_core import BeepDetector

FREQUENCIES_HZ = tuple(hz for hz in range(360, 2600, 47) if not (1062 <= hz <= 1138 or 2080 <= hz <= 2120))
"""Fax machines' tones are left out: those are told apart."""
LEVELS_DBFS = (-12, -20, -28)
DURATIONS_MS = (100, 200, 400, 900)
SNRS_DB = (10, 20, 40)
LEAST_RECALL = 0.98


def versions() -> dict[str, str]:
    """No peer: what is to be had knows only fixed frequencies."""
    return {}


def cases() -> Iterator[Case]:
    """Yield recall, false beeps and cost."""
    random = np.random.default_rng(1)
    grid = list(product(FREQUENCIES_HZ, LEVELS_DBFS, DURATIONS_MS, SNRS_DB))
    found = sum(_is_found(hz, _call(hz, level, ms, snr, random)) for hz, level, ms, snr in grid)
    recall = found / len(grid)
    note = f"{found} of {len(grid)}, µ-law, after synthetic speech; SNR of 10 dB and more"
    yield Case("beep: found", round(recall, 4), "share", target="≥ 0.98", met=recall >= LEAST_RECALL, note=note)
    speech, said = talk()
    hours = sum(len(pcm) for pcm in speech) / (2 * RATE_HZ * 3600)
    started = time.thread_time()
    heard = [tone.kind for pcm in speech for tone in BeepDetector(RATE_HZ).feed(pcm)]
    frame_us = (time.thread_time() - started) * 1e6 / (hours * 3600 * 50)
    false = heard.count("beep") / hours
    note = f"{hours:.1f} h: {said}; {len(heard)} other tones"
    yield Case("beep: false in speech and noises", round(false, 3), "per hour", target="< 1", met=false < 1, note=note)
    yield Case("beep detector, 20 ms of speech", round(frame_us, 3), "µs", note="one pass, no peer")


def _call(hz: int, level_dbfs: int, duration_ms: int, snr_db: int, random: np.random.Generator) -> bytes:
    """Make a greeting, a pause, the beep and silence, with noise below the beep."""
    greeting = _speech(2.0) * 10 ** (level_dbfs / 20)
    beep = np.sin(2 * np.pi * hz * np.arange(duration_ms * 8) / RATE_HZ)
    beep[:40] *= np.linspace(0, 1, 40)
    beep[-40:] *= np.linspace(1, 0, 40)
    rms = 32768 * 10 ** (level_dbfs / 20)
    pause = np.zeros(int(random.integers(1000, 4000)))
    parts = [np.zeros(RATE_HZ), 32768 * greeting, pause, rms * np.sqrt(2) * beep, np.zeros(12000)]
    line = np.concatenate(parts)
    return over_the_line(line + random.normal(0, rms * 10 ** (-snr_db / 20), len(line)))


def _speech(seconds: float) -> Samples:
    """Something like a voice, of RMS 1: harmonics of a gliding 120 Hz, four syllables a second."""
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * (120 * times + 5 * np.sin(2 * np.pi * times))
    voice = sum((np.sin(k * phase) / k for k in range(1, 20)), np.zeros(len(times)))
    voice *= 0.15 + np.abs(np.sin(2 * np.pi * 2 * times + 0.5))
    return np.asarray(voice / np.sqrt((voice**2).mean()))


def _is_found(hz: int, pcm: bytes) -> bool:
    return any(
        tone.kind == "beep" and abs(tone.frequency_hz - hz) <= 0.02 * hz for tone in BeepDetector(RATE_HZ).feed(pcm)
    )
