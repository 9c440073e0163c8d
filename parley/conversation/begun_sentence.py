"""A sentence that was interrupted, and where its audio goes on: at the word that the caller did not hear."""

from __future__ import annotations

from dataclasses import dataclass

from media_core.pcm import level_dbfs
from parley.conversation.ports import SpeechChunk, WordTime
from parley.conversation.spoken import SpokenSentence
from parley.conversation.timings import samples_of

LOOK_BACK_MS = 240
"""Before an estimated place, how far back a gap between words is looked for."""
FRAME_MS = 20


@dataclass(frozen=True, slots=True)
class BegunSentence:
    """What the caller has heard of a sentence."""

    spoken: SpokenSentence
    heard_samples: int
    resume_at: int
    """Sample of its audio at which it goes on; 0: from its beginning."""
    is_certain: bool
    """The engine told where the word begins; otherwise it is estimated."""


class SkippedAudio:
    """Leaves out of a sentence's audio, as it is made once more, what was heard before."""

    def __init__(self, begun: BegunSentence | None, rate_hz: int) -> None:
        """begun: None lets everything through."""
        self._begun = begun if begun is not None and begun.resume_at > 0 else None
        self._rate_hz = rate_hz
        self._held = b""
        self._times: list[WordTime] = []
        self.samples = 0
        """How many were left out, once something was let through."""

    def rest_of(self, chunk: SpeechChunk) -> SpeechChunk:
        """Return what is to be played of the next chunk, with the word times of what is left out too."""
        if self._begun is None:
            return chunk
        self._held += chunk.pcm
        self._times += chunk.alignment
        if len(self._held) // 2 <= self._begun.resume_at:
            return SpeechChunk(b"")
        begun, self._begun = self._begun, None
        self.samples = begun.resume_at if begun.is_certain else quiet_place(self._held, begun.resume_at, self._rate_hz)
        return SpeechChunk(self._held[self.samples * 2 :], self._times)

    def at_the_end(self) -> SpeechChunk:
        """Return what is to be played of audio that ended before its time: all of it; nothing where some was."""
        begun, self._begun = self._begun, None
        return SpeechChunk(b"") if begun is None else SpeechChunk(self._held, self._times)


def quiet_place(pcm: bytes, latest: int, rate_hz: int) -> int:
    """Return the sample at which the quietest 20 ms begin, at most 240 ms before `latest`; the last of equals."""
    frame = samples_of(FRAME_MS, rate_hz)
    places = range(latest, max(-1, latest - samples_of(LOOK_BACK_MS, rate_hz) - 1), -frame)
    return min(places, key=lambda place: level_dbfs(pcm[place * 2 : (place + frame) * 2]), default=latest)
