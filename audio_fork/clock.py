"""The 20 ms beat that drives the audio of every call on an event loop.

Deadlines are absolute multiples of the frame time after the first one, so the beat never drifts. A call's
audio adds itself while it has a peer; nothing runs while there is no call.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import ClassVar, Protocol
from weakref import WeakKeyDictionary

logger = logging.getLogger(__name__)

FRAME_S = 0.020
MAX_BURST_FRAMES = 2
"""Frames sent back to back after a stall; what is older than that is skipped, not sent in a heap."""
LATE_S = 0.005
"""From here on a beat counts as late."""


class Beating(Protocol):
    """What the clock drives."""

    def beat(self, *, behind_s: float, sending: bool) -> None:
        """Let one frame time pass.

        behind_s: how long ago it should have been. sending: False for time that was missed and is only to be
        accounted for.
        """
        ...

    def fail(self, reason: str) -> None:
        """Give up: `beat()` raised, and this session gets no more beats."""
        ...


class Timer(Protocol):
    """A callback scheduled."""

    def cancel(self) -> None:
        """Do not call it."""
        ...


class PlayoutClock:
    """One timer for all sessions of an event loop.

    late_beats, skipped_beats and worst_lateness_s count since the clock was made.
    """

    _of_loops: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, PlayoutClock]] = WeakKeyDictionary()

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
    ) -> None:
        """Make a clock at rest.

        call_later: schedules a callback; None means the running loop's. Tests give both and wind time by hand.
        """
        self._monotonic = monotonic
        self._call_later = call_later
        self._sessions: dict[Beating, None] = {}  # an ordered set
        self._timer: Timer | None = None
        self._deadline = 0.0
        self.late_beats = 0
        self.skipped_beats = 0
        self.worst_lateness_s = 0.0

    @classmethod
    def of_running_loop(cls) -> PlayoutClock:
        """Return the clock that all calls of the running event loop share."""
        loop = asyncio.get_running_loop()
        clock = cls._of_loops.get(loop)
        if clock is None:
            clock = cls._of_loops[loop] = cls()
        return clock

    def now_s(self) -> float:
        """Return this clock's monotonic time, in seconds."""
        return self._monotonic()

    def add(self, session: Beating) -> None:
        """Drive this session from the next beat on."""
        self._sessions[session] = None
        if self._timer is None:
            self._deadline = self._monotonic() + FRAME_S
            self._schedule()

    def remove(self, session: Beating) -> None:
        """Stop driving this session; unknown ones are ignored."""
        self._sessions.pop(session, None)
        if not self._sessions and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        call_later = self._call_later or asyncio.get_running_loop().call_later
        self._timer = call_later(max(0.0, self._deadline - self._monotonic()), self._run)

    def _run(self) -> None:
        """Run every beat that is due and schedule the next."""
        lateness_s = self._monotonic() - self._deadline
        if lateness_s < 0:  # event loops round their timers and may come early
            self._schedule()
            return
        due = 1 + int(lateness_s / FRAME_S)
        self._deadline += due * FRAME_S
        self._schedule()
        self._count(due, lateness_s)
        for session in tuple(self._sessions):
            self._beat(session, due, lateness_s)

    def _count(self, due: int, lateness_s: float) -> None:
        self.late_beats += lateness_s > LATE_S
        self.skipped_beats += max(0, due - MAX_BURST_FRAMES)
        self.worst_lateness_s = max(self.worst_lateness_s, lateness_s)

    def _beat(self, session: Beating, due: int, lateness_s: float) -> None:
        """Give one session its beats; one that raises is removed and failed, and the others get this beat all the same.

        Exceptions of every kind end here: the beat is the outer task of every call's media, and no other call may
        lose a frame by it.
        """
        try:
            for number in range(due):
                if session in self._sessions:
                    session.beat(behind_s=lateness_s - number * FRAME_S, sending=due - number <= MAX_BURST_FRAMES)
        except Exception:
            self.remove(session)
            logger.exception("a call's audio failed and is given up")
            session.fail("internal error")
