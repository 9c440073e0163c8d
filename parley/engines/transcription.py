"""What a Whisper runtime makes of a clip; `WhisperRecognizer` asks for it, one module per runtime gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16000
"""Of the audio that Whisper takes."""
WINDOW_S = 30
"""What Whisper decodes at once."""
CUT_S = 5
"""How far before a window's end a quiet place is looked for."""
TOKENS_PER_S = 15
"""Nobody says more; a model that runs away in a loop is stopped there."""
LEAST_TOKENS, MOST_TOKENS = 24, 220

Samples = NDArray[np.float32]

Stopped = Callable[[], bool]
"""Tells whether nobody waits for the result any more."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word as the runtime writes it (punctuation and leading space included)."""

    text: str
    start_s: float
    """From the start of the clip."""
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text (Whisper's segment) with the figures by which hallucinations are told."""

    text: str
    mean_log_probability: float
    """Of its tokens; 0 is certain."""
    no_speech_probability: float
    compression_ratio: float
    """Of its text: high where a phrase repeats itself."""
    words: Sequence[SpokenWord] = ()


class Transcriber(Protocol):
    """A loaded Whisper; called from several threads at once."""

    def load(self) -> None:
        """Load the model unless it is loaded. Raises EngineError."""
        ...

    def transcribe(self, pcm: bytes, language: str, stopped: Stopped) -> list[Passage]:
        """Return the passages of a clip.

        pcm: int16 little-endian mono at RATE_HZ.   language: BCP-47 primary tag.
        stopped: looked at between passages; once it is true the rest is left out.   Raises EngineError.
        """
        ...


def samples_of(pcm: bytes) -> Samples:
    """Return int16 audio as Whisper takes it, from -1 to 1."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def most_tokens(samples: int) -> int:
    """Return how long a text may be for so much audio."""
    return min(MOST_TOKENS, LEAST_TOKENS + samples * TOKENS_PER_S // RATE_HZ)


def windows(samples: Samples) -> list[tuple[int, int]]:
    """Return the first and behind the last sample of each part that Whisper can decode at once.

    A clip that is longer is cut at the quietest place near the window's end.
    """
    parts, start = [], 0
    while len(samples) - start > WINDOW_S * RATE_HZ:
        last = start + WINDOW_S * RATE_HZ
        frames = np.abs(samples[last - CUT_S * RATE_HZ : last]).reshape(-1, RATE_HZ // 50).max(axis=1)
        cut = last - CUT_S * RATE_HZ + int(frames.argmin()) * RATE_HZ // 50
        parts.append((start, cut))
        start = cut
    return [*parts, (start, len(samples))] if start < len(samples) else parts
