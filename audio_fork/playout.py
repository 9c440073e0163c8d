"""What is waiting to be played to the caller, cut into frames; `RtpAudio` takes one every 20 ms."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from audio_fork.errors import BadAudio
from media_core.pcm import fade_out

FADE_MS = 5
"""Length of the ramp to zero with which cut audio ends, against the click."""
MAX_QUEUED_S = 300
"""A caller who has to listen longer than this without a pause is a mistake of ours."""
GAP_FRAMES = 5
"""Silence up to this long between two pieces is an underrun: a pause inside speech, not between utterances."""


@dataclass(frozen=True, slots=True)
class PlayoutFrame:
    """20 ms on their way out; what falls short of that is filled with silence."""

    pcm: bytes
    played: int
    """Samples in it that came from the queue; 0 when the whole frame is idle silence."""
    started_at: int | None
    """Offset of the first sample of something played after silence or after `clear()`."""
    marks: tuple[tuple[int, int], ...]
    """Marks reached in this frame: (mark, offset one past its last sample)."""


class PlayoutQueue:
    """First in, first out, with marks that say how far the phone has got."""

    def __init__(self, rate_hz: int, frame_samples: int) -> None:
        """Make an empty queue of int16 little-endian mono PCM."""
        self._frame_octets = frame_samples * 2
        self._fade_samples = FADE_MS * rate_hz // 1000
        self._max_octets = MAX_QUEUED_S * rate_hz * 2
        self._queue = bytearray()
        self._tail = b""
        self._marks: deque[int] = deque()
        self._speaking = False
        self._idle_frames = GAP_FRAMES + 1
        self.played_samples = 0
        """Samples handed out since the start, idle silence not counted."""
        self.underruns = 0
        """Pauses of at most 100 ms inside speech because the next piece came late."""

    @property
    def queued_samples(self) -> int:
        """Samples still to be handed out."""
        return (len(self._tail) + len(self._queue)) // 2

    def play(self, pcm: bytes) -> int:
        """Queue PCM and return its mark: the value of `played_samples` when the last of it was handed out.

        Raises BadAudio for half a sample and when the queue would hold more than MAX_QUEUED_S.
        """
        if len(pcm) % 2:
            raise BadAudio("16-bit PCM has an even number of octets")
        if len(self._queue) + len(pcm) > self._max_octets:
            raise BadAudio(f"more than {MAX_QUEUED_S} s of audio queued; play it piece by piece as marks are reached")
        self._queue += pcm
        mark = self.played_samples + self.queued_samples
        self._marks.append(mark)
        return mark

    def clear(self) -> None:
        """Drop what is queued and its marks; speech that is going on ends in a ramp of FADE_MS."""
        if self._speaking:
            self._tail = fade_out(bytes(self._queue[: self._fade_samples * 2]), self._fade_samples)
            self._speaking = False
        self._queue.clear()
        self._marks.clear()
        self._idle_frames = GAP_FRAMES + 1

    def next_frame(self) -> PlayoutFrame:
        """Take the next 20 ms, silence where nothing is queued."""
        tail, self._tail = self._tail, b""
        room = self._frame_octets - len(tail)
        fresh = bytes(self._queue[:room])
        del self._queue[:room]
        started_at = len(tail) // 2 if fresh and not self._speaking else None
        self._account(fresh, room)
        played = (len(tail) + len(fresh)) // 2
        self.played_samples += played
        pcm = (tail + fresh).ljust(self._frame_octets, b"\0")
        return PlayoutFrame(pcm, played, started_at, self._reached(played))

    def _account(self, fresh: bytes, room: int) -> None:
        """Keep track of speech and gaps."""
        if fresh and not self._speaking and self._idle_frames <= GAP_FRAMES:
            self.underruns += 1
        self._idle_frames = 0 if fresh else self._idle_frames + 1
        self._speaking = len(fresh) == room

    def _reached(self, played: int) -> tuple[tuple[int, int], ...]:
        reached: list[tuple[int, int]] = []
        while self._marks and self._marks[0] <= self.played_samples:
            mark = self._marks.popleft()
            reached.append((mark, played - (self.played_samples - mark)))
        return tuple(reached)
