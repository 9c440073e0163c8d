"""How far the PBX has got with the frames that it was sent ahead. Pure: time is an input, in seconds of one clock.

Asterisk hands out one frame every 20 ms from a queue of its own and reports marks in it: a mark behind N frames comes
back in the tick that hands out frame N. Between two marks the clock tells. `WebSocketAudio` keeps one.
"""

from __future__ import annotations

import math
from collections import deque

FRAME_S = 0.020
SLIP_S = 0.010
"""A mark later than this against the schedule so far means that the PBX has slipped, not the message."""
_ROUNDING_S = 1e-6


class FarQueue:
    """One run of frames after another; a run ends when it was handed out completely, or by a flush."""

    def __init__(self) -> None:
        """Begin the first run."""
        self._next_id = 0
        self._sent = 0
        self._handed = 0
        self._confirmed = 0
        """Frames that were handed out for certain: a mark behind them has come back."""
        self._marks: deque[tuple[str, int]] = deque()
        """Those that have not come back, each with the frames sent before it."""
        self._origin_s: float | None = None
        self.lost_marks = 0
        """Marks that a flush has taken with it."""

    @property
    def sent(self) -> int:
        """Frames of this run sent so far."""
        return self._sent

    @property
    def is_dry(self) -> bool:
        """Whether the run was handed out completely, as far as marks tell; so is a run without frames."""
        return not self._marks and self._confirmed >= self._sent

    @property
    def started_s(self) -> float | None:
        """When the run's first frame was handed out; None before the PBX has told."""
        return self._origin_s

    def begin_run(self) -> None:
        """Begin another run: the queue is empty, or was just flushed."""
        self.lost_marks += len(self._marks)
        self._marks.clear()
        self._sent = self._handed = self._confirmed = 0
        self._origin_s = None

    def send(self, frames: int) -> None:
        """Note that so many frames were sent."""
        self._sent += frames

    def mark(self) -> str:
        """Set a mark behind what was sent so far and return its id."""
        mark_id = str(self._next_id)
        self._next_id += 1
        self._marks.append((mark_id, self._sent))
        return mark_id

    def processed(self, mark_id: str, now_s: float) -> bool:
        """Note that the PBX came to a mark at this time; False for one that is none of this run's."""
        if all(known != mark_id for known, _ in self._marks):
            return False
        frames = 0
        while self._marks:
            known, frames = self._marks.popleft()
            if known == mark_id:
                break
        self._confirmed = max(self._confirmed, frames)
        schedule_s = now_s - frames * FRAME_S
        if self._origin_s is None or not 0 <= schedule_s - self._origin_s <= SLIP_S:
            self._origin_s = schedule_s
        return True

    def handed(self, at_s: float, told_s: float) -> int:
        """Return how many frames of this run have been handed out at a time; never fewer than it has said before.

        told_s: what happened at the PBX before this time is known here by now. A mark that should have come back by
        then and has not stops the count: the PBX is behind the schedule.
        """
        if self._origin_s is not None:
            by_clock = self._on_schedule(at_s)
            due = self._marks[0][1] if self._marks else self._sent
            limit = due if self._marks and self._on_schedule(told_s) > due else self._sent
            self._handed = max(self._handed, min(max(by_clock, self._confirmed), limit))
        return self._handed

    def waiting(self) -> int:
        """Return how many frames of this run are still to be handed out, as of the last answer of `handed()`."""
        return self._sent - self._handed

    def _on_schedule(self, at_s: float) -> int:
        """Return how many frames the schedule has handed out at a time."""
        since_s = at_s - (self._origin_s or 0.0)
        return 1 + math.floor(since_s / FRAME_S + _ROUNDING_S)
