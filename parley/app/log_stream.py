"""Where log lines go: a bounded queue, and a thread that writes it to a file descriptor.

`logs` gives it to the root handler. Whoever reads our stderr (journald, a pipe) may get stuck; calls must not notice.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections import deque

MAX_WAITING_OCTETS = 4 << 20
"""Some 20,000 lines. What comes while so much waits is lost, and counted."""
DRAIN_S = 2.0
"""At the end of the process, for a reader that is slow."""


class LogStream(io.TextIOBase):
    """A text stream whose `write` never waits."""

    def __init__(self, descriptor: int, max_octets: int = MAX_WAITING_OCTETS) -> None:
        """descriptor: stays open; nobody else writes to it line by line."""
        self._descriptor = descriptor
        self._room = max_octets
        self._waiting: deque[bytes] = deque()
        self._news = threading.Condition()
        self._idle = True
        self.lost = 0
        """Lines that found no room."""
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, text: str) -> int:
        """Queue a line, or lose it."""
        line = text.encode(errors="backslashreplace")
        with self._news:
            if len(line) > self._room:
                self.lost += 1
            else:
                self._room -= len(line)
                self._waiting.append(line)
                self._idle = False
                self._news.notify_all()
        return len(text)

    def isatty(self) -> bool:
        """Tell whether a terminal reads."""
        return os.isatty(self._descriptor)

    def drain(self, within_s: float = DRAIN_S) -> bool:
        """Wait until everything is written; False when that takes longer."""
        with self._news:
            return self._news.wait_for(lambda: self._idle, within_s)

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: bool(self._waiting))
                lines = b"".join(self._waiting)
                self._waiting.clear()
            self._put(lines)
            with self._news:
                self._room += len(lines)
                self._idle = not self._waiting
                self._news.notify_all()

    def _put(self, octets: bytes) -> None:
        """Write all of it, for as long as it takes; a reader that is gone for good loses it."""
        rest = memoryview(octets)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody has made the descriptor non-blocking
                time.sleep(0.05)
            except OSError:
                return
