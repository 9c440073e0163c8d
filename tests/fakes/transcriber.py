"""A Whisper runtime that transcribes what the test says, and can be held up."""

from __future__ import annotations

import threading

from parley.conversation.errors import EngineError
from parley.engines.transcription import RATE_HZ, Passage, SpokenWord, Stopped

WORD_S = 0.3


def passage(text: str, **figures: float) -> Passage:
    """Return a passage in which everything is certain, but for the figures given."""
    words = tuple(
        SpokenWord(f" {word}", number * WORD_S, (number + 1) * WORD_S, 0.9) for number, word in enumerate(text.split())
    )
    known = {"mean_log_probability": -0.1, "no_speech_probability": 0.0, "compression_ratio": 1.0}
    return Passage(f" {text}", words=words, **{**known, **figures})


class FakeTranscriber:
    """Transcriber: the first of `says` for the first decoding, and so on; the last one for all that follow."""

    def __init__(self, *says: Passage | EngineError, held: bool = False) -> None:
        """held: every decoding waits for `go_on`."""
        self._says = says
        self._lock = threading.Lock()
        self.go_on = threading.Event()
        if not held:
            self.go_on.set()
        self.begun = threading.Semaphore(0)
        """Released when a decoding begins."""
        self.loads = 0
        self.clips_ms: list[int] = []
        """The length of each clip that was decoded."""
        self.languages: list[str] = []

    def load(self) -> None:
        """Count."""
        self.loads += 1

    def transcribe(self, pcm: bytes, language: str, stopped: Stopped) -> list[Passage]:
        """Return the next passage, once it may."""
        with self._lock:
            says = self._says[min(len(self.clips_ms), len(self._says) - 1)]
            self.clips_ms.append(len(pcm) * 500 // RATE_HZ)
            self.languages.append(language)
        self.begun.release()
        self.go_on.wait(20)
        if isinstance(says, EngineError):
            raise says
        return [] if stopped() else [says]
