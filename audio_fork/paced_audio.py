"""A call's audio whose playing our own clock paces: the engine sends a frame every 20 ms (RTP, AudioSocket)."""

from __future__ import annotations

from collections import deque

from audio_fork.engine_audio import EngineAudio
from audio_fork.errors import BadAudio
from audio_fork.media_engine import MediaEngine
from audio_fork.playout import MAX_QUEUED_S
from media_core.engine import Session
from media_core.engine_events import EventKind
from media_core.errors import PlayoutFull
from media_core.events import MarkReached, PlayoutStarted


class PacedAudio(EngineAudio):
    """What is played waits in the engine, and for places there."""

    def __init__(self, engine: MediaEngine, session: Session) -> None:
        """Take over a session (see `EngineAudio`)."""
        super().__init__(engine, session)
        self._waiting: deque[bytes] = deque()
        """Pieces for which the engine has no place yet."""
        self._waiting_samples = 0
        self._played_at_end = 0

    @property
    def played_samples(self) -> int:
        """How many samples given to `play()` have gone to the PBX (idle silence not counted)."""
        return self.session.played_samples if self._final is None else self._played_at_end

    def play(self, pcm: bytes) -> int:
        """Queue PCM and return its mark (see `EngineAudio`)."""
        if len(pcm) % 2:
            raise BadAudio("16-bit PCM has an even number of octets")
        if self._final is not None:
            return self._played_at_end + len(pcm) // 2
        if self.session.queued_samples + self._waiting_samples + len(pcm) // 2 > MAX_QUEUED_S * self._rate_hz:
            raise BadAudio(f"more than {MAX_QUEUED_S} s of audio queued; play it piece by piece as marks are reached")
        self._waiting.append(pcm)
        self._waiting_samples += len(pcm) // 2
        self._hand_over()
        return self.session.end_mark + self._waiting_samples

    def clear(self) -> None:
        """Drop what is queued; at most 5 ms more of it go out, fading, and count as played."""
        self._waiting.clear()
        self._waiting_samples = 0
        if self._final is None:
            self.session.clear()

    def take(self, kind: EventKind, position: int, value: int, code: int) -> None:
        """Take an event of the engine's (see `EngineCall`)."""
        match kind:
            case EventKind.MARK_REACHED:
                self._events.put(MarkReached(value, position))
                self._hand_over()
            case EventKind.PLAYOUT_STARTED:
                self._events.put(PlayoutStarted(position))
            case EventKind.BLOCK_READY:
                super().take(kind, position, value, code)
                self._hand_over()
            case _:
                super().take(kind, position, value, code)

    def _hand_over(self) -> None:
        """Give the engine what it has places for."""
        while self._waiting:
            try:
                self.session.play(self._waiting[0])
            except PlayoutFull:
                return
            self._waiting_samples -= len(self._waiting.popleft()) // 2

    def _end(self) -> None:
        if self._final is None:
            self._played_at_end = self.session.played_samples
        super()._end()
        self._waiting.clear()
