"""What a voice detector must tell apart: recorded speech and computed noises, over µ-law, cut into bursts by energy."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.recognition_sets import NOISES, RATE_HZ
from media_core import Resampler, ulaw_decode, ulaw_encode
from media_core.vad import EnergyVad
from parley.conversation.listening import LEAD_IN_MS
from parley.conversation.settings import BargeInSettings

RECORDINGS = Path(__file__).parents[2] / "shared" / "audio"
"""Letters and digits, read sentences; not part of the repository."""
SILENCE = bytes(2 * RATE_HZ)
"""A second."""
LEVELS_DBFS = (-15.0, -28.0)
"""Of the noises: loud, and a little louder than where the energy detector begins."""


@dataclass(frozen=True, slots=True)
class Burst:
    """A sound that the energy detector opens for, long enough for an interruption."""

    source: str
    start: int
    """Position of its first sample."""
    first: int
    """Position of the first sample of `pcm`: what came before the burst belongs to it."""
    pcm: bytes


def spoken() -> Iterator[Burst]:
    """Yield the bursts of all recordings of speech; none where there are no recordings."""
    for path in sorted(RECORDINGS.glob("*/*.wav")):
        if path.parent.name != "voicemail":  # has a beep in it
            pcm = _recording(path)
            if pcm:
                yield from bursts(f"{path.parent.name}/{path.stem}", pcm)


def noises() -> Iterator[Burst]:
    """Yield the bursts of 34 noises at two levels: hiss, rumble, tones, breath, music, knocks, coughs."""
    for name, make in NOISES.items():
        sound = make()
        sound /= np.sqrt((sound**2).mean())
        for level_dbfs in LEVELS_DBFS:
            scaled = np.clip(sound * 32768 * 10 ** (level_dbfs / 20), -32768, 32767)
            yield from bursts(f"{name} {level_dbfs:g}", scaled.astype("<i2").tobytes())


def bursts(source: str, pcm: bytes) -> Iterator[Burst]:
    """Yield the bursts of one sound, with silence around it, as a caller on a µ-law line would make them."""
    line = ulaw_decode(ulaw_encode(SILENCE + pcm + SILENCE))
    least = BargeInSettings().min_speech_ms * RATE_HZ // 1000
    start = 0
    for edge in EnergyVad(RATE_HZ).feed(line):
        if edge.started:
            start = edge.position
        elif edge.position - start >= least:
            first = max(0, start - RATE_HZ * LEAD_IN_MS // 1000)
            yield Burst(source, start, first, line[2 * first : 2 * edge.position])


def _recording(path: Path) -> bytes:
    """Return a recording at 8 kHz; nothing where it has a rate that no telephone has."""
    with wave.open(str(path), "rb") as file:
        rate_hz, pcm = file.getframerate(), file.readframes(file.getnframes())
    if rate_hz == RATE_HZ:
        return pcm
    if rate_hz not in (16000, 22050, 24000, 48000):
        return b""
    resampler = Resampler(rate_hz, RATE_HZ)
    return resampler.process(pcm) + resampler.flush()
