"""A clock that only the test winds."""

from __future__ import annotations

import asyncio


class FakeClock:
    """Clock in virtual time; give `wind` to FakeCallAudio as `each_frame` and both go together."""

    def __init__(self, started_at: float = 1_700_000_000.0) -> None:
        """started_at: seconds since the epoch that `time()` shows first."""
        self._started_at = started_at
        self._passed_ms = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return self._passed_ms / 1000

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._started_at + self.monotonic()

    def wind(self, ms: int) -> None:
        """Let time pass."""
        self._passed_ms += ms
        for due, waiter in self._waiting:
            if due <= self._passed_ms and not waiter.done():
                waiter.set_result(None)
        self._waiting = [(due, waiter) for due, waiter in self._waiting if not waiter.done()]

    async def passes(self, ms: int) -> None:
        """Wait until this much time has been wound; at once for 0."""
        if ms > 0:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append((self._passed_ms + ms, waiter))
            await waiter
