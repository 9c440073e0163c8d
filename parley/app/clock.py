"""The machine's own clock, as the conversation's Clock."""

from __future__ import annotations

import time


class SystemClock:
    """Clock of the machine."""

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch (UTC)."""
        return time.time()
