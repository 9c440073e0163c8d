"""A child process that lives and dies as the test says."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from itertools import count

_PIDS = count(1000)


@dataclass
class FakeProcess:
    """One child; it ends when `status` is set, or it is killed."""

    pid: int = field(default_factory=lambda: next(_PIDS))
    status: int | None = None
    signals: list[int] = field(default_factory=list)
    asked_to_stop: bool = False

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""
        return self.status

    def send_signal(self, sig: int) -> None:
        """Note a signal; die of SIGKILL."""
        self.signals.append(sig)
        if sig == signal.SIGKILL:
            self.status = -sig

    def ask_to_stop(self) -> None:
        """Note that it is to end."""
        self.asked_to_stop = True


class FakeSpawner:
    """Starts FakeProcesses, and fails when it is told to."""

    def __init__(self) -> None:
        self.started: list[FakeProcess] = []
        self.fails = 0
        """How often the next starts fail."""

    def __call__(self) -> FakeProcess:
        """Start one. Raises OSError."""
        if self.fails:
            self.fails -= 1
            raise FileNotFoundError("no such program")
        self.started.append(FakeProcess())
        return self.started[-1]

    @property
    def last(self) -> FakeProcess:
        """The one started last."""
        return self.started[-1]
