"""Where the sound in a sentence's audio begins and ends: synthesisers put silence around it.

The share of each word is a share of the sound, not of the silence.
"""

from __future__ import annotations

from media_core.pcm import level_dbfs
from parley.conversation.timings import samples_of

SILENCE_DBFS = -50.0
FRAME_MS = 20


class SoundEdges:
    """Looks at audio as it comes, only as far as needed to find both ends; accurate to 20 ms."""

    __slots__ = ("_frame", "_seen", "begin", "end")

    def __init__(self, rate_hz: int, seen: int = 0, begin: int | None = None) -> None:
        """seen: samples before the first that will come.   begin: of the sound, where it is known."""
        self._frame = samples_of(FRAME_MS, rate_hz)
        self._seen = seen
        self.begin = begin
        """First sample of the sound; None while all was silent."""
        self.end = 0 if begin is None else seen
        """One past the last sample of sound so far."""

    def feed(self, pcm: bytes) -> None:
        """Take the next audio, int16 little-endian mono."""
        size = self._frame * 2
        starts = range(0, len(pcm), size)
        loud = next((at for at in starts if level_dbfs(pcm[at : at + size]) > SILENCE_DBFS), None)
        if loud is not None:
            if self.begin is None:
                self.begin = self._seen + loud // 2
            last = next(at for at in reversed(starts) if level_dbfs(pcm[at : at + size]) > SILENCE_DBFS)
            self.end = self._seen + min(last + size, len(pcm)) // 2
        self._seen += len(pcm) // 2
