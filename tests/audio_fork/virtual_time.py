"""Time that a test winds by hand, and a network in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from audio_fork.clock import PlayoutClock
from audio_fork.sockets import Address, Datagram

PEER: Address = ("192.0.2.1", 16384)


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

    def playout_clock(self) -> PlayoutClock:
        return PlayoutClock(self.monotonic, self.call_later)

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


class FakeTransport:
    """A network in virtual time: what comes in is scheduled, what goes out is kept."""

    def __init__(self, time: ManualTime) -> None:
        self._time = time
        self._coming: deque[tuple[float, bytes, Address]] = deque()
        self.sent: list[tuple[float, bytes]] = []
        """When each packet went out, and the packet."""
        self.refusing = False
        self.closed = False

    @property
    def local_address(self) -> Address:
        return ("192.0.2.2", 40000)

    def deliver(self, octets: bytes, *, in_ms: float = 0, sender: Address = PEER) -> None:
        """Let a datagram come in so many ms from now."""
        self._coming.append((self._time.now + in_ms / 1000, octets, sender))
        self._coming = deque(sorted(self._coming, key=lambda item: item[0]))

    def receive(self) -> Datagram | None:
        if not self._coming or self._coming[0][0] > self._time.now + 1e-9:
            return None
        at, octets, sender = self._coming.popleft()
        return Datagram(octets, sender, max(0.0, self._time.now - at))

    def send(self, packet: bytes, peer: Address) -> bool:
        assert peer == PEER
        if self.refusing:
            return False
        self.sent.append((self._time.now, packet))
        return True

    def close(self) -> None:
        self.closed = True
