"""Keep one child running: start it, hear its heartbeats, kill it when it hangs, start it again. Pure: no clock.

`supervisor` owns a Keeper for each child and tells it the time.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from parley.app.exit_status import CANNOT_WORK

logger = logging.getLogger(__name__)
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Patience:
    """How closely a child is watched."""

    start_s: float = 45.0
    """From its start to its first heartbeat."""
    misses: int = 5
    """Ticks without a heartbeat between them after which it is taken for hung. Ticks, not seconds: where the whole
    machine stood still, the next heartbeat comes before the next tick."""
    backoff_s: float = 0.1
    """Before the first restart; doubles with each child that does not last."""
    max_backoff_s: float = 5.0
    stable_s: float = 30.0
    """After living for so long the back-off starts from the beginning."""


class Wanted(Enum):
    """Whether a child that ends is started again."""

    ALWAYS = "always"
    UNTIL_DONE = "until done"
    """Not when it has ended well (status 0), or only a person can make it work (status 2)."""
    NO_MORE = "no more"


class Process(Protocol):
    """What a Keeper needs of `child_process.ChildProcess`."""

    pid: int

    def poll(self) -> int | None: ...

    def send_signal(self, sig: int) -> None: ...

    def ask_to_stop(self) -> None: ...


class Keeper:
    """One child. Set `wanted` to UNTIL_DONE, or call `stop`, when it is to go."""

    def __init__(self, name: str, spawn: Callable[[], Process], patience: Patience | None = None) -> None:
        """name: for the log.   spawn: raises OSError when it cannot."""
        self.name = name
        self.wanted = Wanted.ALWAYS
        self.process: Process | None = None
        self.status: int | None = None
        """Of the last child that ended."""
        self.starts = 0
        self.beating = self.ready = self.was_ready = False
        """The child has sent a heartbeat; it is ready; it, or one before it, was."""
        self._spawn = spawn
        self._patience = patience or Patience()
        self._backoff_s = self._patience.backoff_s
        self._started_at = self._due_at = 0.0
        self._kill_at = NEVER
        self._misses = 0

    @property
    def done(self) -> bool:
        """Whether no child runs and none is wanted."""
        over = self.wanted is Wanted.UNTIL_DONE and self.status in (0, CANNOT_WORK)
        return self.process is None and (over or self.wanted is Wanted.NO_MORE)

    def heard(self, ready: bool) -> None:
        """Take note of a heartbeat, and of whether the child is ready."""
        if not self.beating and self.wanted is not Wanted.NO_MORE:
            self._kill_at = NEVER
        self.beating, self.ready, self._misses = True, ready, 0
        self.was_ready = self.was_ready or ready

    def stop(self, now_s: float, within_s: float) -> None:
        """Ask the child to end, kill it when that takes longer, start none again. May be called twice."""
        if self.wanted is not Wanted.NO_MORE and self.process is not None:
            self.process.ask_to_stop()
            self._kill_at = now_s + within_s
        self.wanted = Wanted.NO_MORE

    def look(self, now_s: float) -> None:
        """See what has become of the child; start one when it is time."""
        if self.process is None:
            if not self.done and now_s >= self._due_at:
                self._start(now_s)
        elif (status := self.process.poll()) is not None:
            self._ended(status, now_s)
        elif now_s >= self._kill_at:
            self._kill("it does not stop, or does not come up")

    def tick(self) -> None:
        """Count a moment in which a child that works has sent heartbeats."""
        self._misses += self.beating
        if self._misses > self._patience.misses:
            self._kill("it hangs")

    def _start(self, now_s: float) -> None:
        self.starts += 1
        self._started_at, self._kill_at, self._misses = now_s, now_s + self._patience.start_s, 0
        try:
            self.process = self._spawn()
        except OSError as err:
            logger.error("child cannot be started", extra={"child": self.name, "problem": str(err)})
            self._plan(now_s)
        else:
            facts = {"child": self.name, "child_pid": self.process.pid, "starts": self.starts}
            logger.info("child started", extra=facts)

    def _ended(self, status: int, now_s: float) -> None:
        self.process, self.status, self.beating, self.ready = None, status, False, False
        facts = {"child": self.name, "status": status, "starts": self.starts}
        if self.done:
            return logger.info("child ended", extra=facts)
        if now_s - self._started_at >= self._patience.stable_s:
            self._backoff_s = self._patience.backoff_s
        # Whether it is started again is for its owner to say; that it was, `child started` tells.
        self._plan(now_s)
        logger.error("child ended", extra=facts)

    def _plan(self, now_s: float) -> None:
        """Note when the next child is due."""
        self._due_at = now_s + self._backoff_s
        self._backoff_s = min(self._backoff_s * 2, self._patience.max_backoff_s)

    def _kill(self, why: str) -> None:
        if self.process is not None:
            logger.error("child is killed", extra={"child": self.name, "why": why})
            self.process.send_signal(signal.SIGKILL)
        self.beating, self._kill_at = False, NEVER
