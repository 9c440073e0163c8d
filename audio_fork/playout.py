"""What is waiting to be played to the caller, cut into frames.

For a transport where the PBX paces: frames are cut ahead and sent (`cut`), and count when the PBX has handed them out
(`hand_out`). What our clock paces waits in the media engine.
"""

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


@dataclass(slots=True)
class _CutFrame:
    """20 ms that were cut for sending and have not been handed out."""

    pcm: bytes
    tail_samples: int
    """Of the ramp that ends what was cleared."""
    fresh_samples: int
    """Behind the tail; silence fills up the rest."""

    @property
    def fresh(self) -> bytes:
        return self.pcm[self.tail_samples * 2 : (self.tail_samples + self.fresh_samples) * 2]


class PlayoutQueue:
    """First in, first out, with marks that say how far the phone has got."""

    def __init__(self, rate_hz: int, frame_samples: int) -> None:
        """Make an empty queue of int16 little-endian mono PCM."""
        self._frame_octets = frame_samples * 2
        self._fade_samples = FADE_MS * rate_hz // 1000
        self._max_octets = MAX_QUEUED_S * rate_hz * 2
        self._queue = bytearray()
        self._tail = b""
        self._cut: deque[_CutFrame] = deque()
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
        cut = sum(frame.tail_samples + frame.fresh_samples for frame in self._cut)
        return cut + (len(self._tail) + len(self._queue)) // 2

    @property
    def has_uncut(self) -> bool:
        """Whether something waits to be cut."""
        return bool(self._tail or self._queue)

    @property
    def cut_frames(self) -> int:
        """Frames cut and not yet handed out."""
        return len(self._cut)

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
        """Drop what is queued and its marks, and what was cut; speech that is going on ends in a ramp of FADE_MS."""
        if self._speaking:
            self._tail = fade_out(self._next_fresh(self._fade_samples * 2), self._fade_samples)
            self._speaking = False
        elif self._cut and self._cut[0].tail_samples:
            self._tail = self._cut[0].pcm[: self._cut[0].tail_samples * 2]
        self._cut.clear()
        self._queue.clear()
        self._marks.clear()
        self._idle_frames = GAP_FRAMES + 1

    def cut(self, *, fill: bool) -> bytes | None:
        """Cut the next 20 ms, to be handed out later; None when nothing, or too little, is queued.

        fill: take less than a frame as well, and fill it up with silence: what is played later starts a new frame.
        """
        room = self._frame_octets - len(self._tail)
        if not self.has_uncut or (len(self._queue) < room and not fill):
            return None
        tail, self._tail = self._tail, b""
        fresh = bytes(self._queue[:room])
        del self._queue[:room]
        frame = _CutFrame((tail + fresh).ljust(self._frame_octets, b"\0"), len(tail) // 2, len(fresh) // 2)
        self._cut.append(frame)
        return frame.pcm

    def hand_out(self) -> PlayoutFrame:
        """Let 20 ms go out: the frame cut first, or idle silence when none is cut."""
        frame = self._cut.popleft() if self._cut else _CutFrame(bytes(self._frame_octets), 0, 0)
        started_at = frame.tail_samples if frame.fresh_samples and not self._speaking else None
        self._account(frame)
        played = frame.tail_samples + frame.fresh_samples
        self.played_samples += played
        return PlayoutFrame(frame.pcm, played, started_at, self._reached(played))

    def _next_fresh(self, octets: int) -> bytes:
        """Return what would be heard next, up to so many octets."""
        following = bytearray()
        for frame in self._cut:
            if len(following) >= octets:
                break
            following += frame.fresh
        return bytes((following + self._queue[: max(0, octets - len(following))])[:octets])

    def _account(self, frame: _CutFrame) -> None:
        """Keep track of speech and gaps."""
        if frame.fresh_samples and not self._speaking and self._idle_frames <= GAP_FRAMES:
            self.underruns += 1
        self._idle_frames = 0 if frame.fresh_samples else self._idle_frames + 1
        self._speaking = frame.tail_samples + frame.fresh_samples == self._frame_octets // 2

    def _reached(self, played: int) -> tuple[tuple[int, int], ...]:
        reached: list[tuple[int, int]] = []
        while self._marks and self._marks[0] <= self.played_samples:
            mark = self._marks.popleft()
            reached.append((mark, played - (self.played_samples - mark)))
        return tuple(reached)
