"""Time that a test winds by hand."""

from __future__ import annotations

from collections.abc import Callable

from audio_fork.media_engine import MediaEngine
from audio_fork.rtp_engine import RtpEngine
from audio_fork.sockets import bind_udp
from media_core.engine import Engine

_OPEN: list[MediaEngine] = []


def close_engines() -> None:
    """Close what `ManualTime.media_engine()` has made; after a test."""
    while _OPEN:
        _OPEN.pop().close()


class ManualTimer:
    """One callback to come."""

    def __init__(self, at: float, callback: Callable[[], None]) -> None:
        self.at = at
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualTime:
    """A monotonic clock and its timers."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[ManualTimer] = []

    def monotonic(self) -> float:
        return self.now

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> ManualTimer:
        timer = ManualTimer(self.now + delay_s, callback)
        self.timers.append(timer)
        return timer

    def media_engine(self, capacity: int = 4) -> MediaEngine:
        """Run a media engine for calls over connections in this time."""
        native = Engine(capacity=capacity, threaded=False)
        engine = MediaEngine(native, monotonic=self.monotonic, call_later=self.call_later)
        engine.step()
        _OPEN.append(engine)
        return engine

    def rtp_engine(self, capacity: int = 4) -> RtpEngine:
        """Run a media engine in this time, on a real port of the loopback interface."""
        engine = RtpEngine(
            Engine(bind_udp("127.0.0.1", None), capacity=capacity, threaded=False),
            "127.0.0.1",
            None,
            monotonic=self.monotonic,
            call_later=self.call_later,
        )
        engine.step()
        return engine

    def advance(self, ms: float) -> None:
        """Let time pass; every timer fires on time."""
        end = self.now + ms / 1000
        while due := [timer for timer in self._pending() if timer.at <= end + 1e-9]:
            first = min(due, key=lambda timer: timer.at)
            self.now = max(self.now, first.at)
            self._fire(first)
        self.now = max(self.now, end)

    def stall(self, ms: float) -> None:
        """Let time pass while no timer fires, then fire those that are due, once."""
        self.now += ms / 1000
        for timer in [timer for timer in self._pending() if timer.at <= self.now]:
            self._fire(timer)

    def _pending(self) -> list[ManualTimer]:
        self.timers = [timer for timer in self.timers if not timer.cancelled]
        return self.timers

    def _fire(self, timer: ManualTimer) -> None:
        self.timers.remove(timer)
        timer.callback()
