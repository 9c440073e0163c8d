"""How Asterisk 22.10 reads a channel's keys (`__ast_read` in main/channel.c), as far as its events depend on it.

What it puts back waits in a queue, and while anything waits there it reads nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

GAP_MS = 45
LEAST_MS = 80
FRAME_MS = 20
LONGEST_WAIT_MS = 150


@dataclass(frozen=True, slots=True)
class Press:
    """A key as the phone sends it."""

    digit: str
    begun_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """ChannelDtmfReceived."""

    digit: str
    duration_ms: int
    at_ms: int


@dataclass(slots=True)
class KeyReading:
    """One channel."""

    events: list[KeyEvent] = field(default_factory=list)
    _put_back: deque[Press] = field(default_factory=deque)
    _last_ms: int | None = None
    """Asterisk's `dtmf_tv`: when a key last began or ended."""
    _begun: bool = False
    _emulating: bool = False
    _left_ms: int = 0
    """Of the key that is emulated; 0 while the gap after it passes."""

    def read(self, packets: deque[tuple[Press, bool] | None], now_ms: int) -> None:
        """Read what has arrived: a key's beginning (False) or end (True), or speech (None)."""
        while True:
            if self._put_back:
                if self._skips(now_ms):
                    self._advance(now_ms)
                    if self._skips(now_ms):
                        return
                self._end(self._put_back.popleft(), now_ms)
            elif packets:
                packet = packets.popleft()
                if packet is None:
                    self._advance(now_ms)
                elif packet[1]:
                    self._end(packet[0], now_ms)
                else:
                    self._begin(now_ms)
            else:
                return

    def _skips(self, now_ms: int) -> bool:
        return self._emulating or self._in_gap(now_ms)

    def _in_gap(self, now_ms: int) -> bool:
        return self._last_ms is not None and now_ms - self._last_ms < GAP_MS

    def _begin(self, now_ms: int) -> None:
        if not self._skips(now_ms):
            self._begun, self._last_ms = True, now_ms

    def _end(self, key: Press, now_ms: int) -> None:
        self.events.append(KeyEvent(key.digit, key.duration_ms, now_ms))
        if self._emulating or (not self._begun and self._in_gap(now_ms)):
            self._put_back.append(key)
        elif not self._begun:
            self._emulate(max(LEAST_MS, key.duration_ms), now_ms)
        else:
            assert self._last_ms is not None
            self._begun, lasted_ms = False, now_ms - self._last_ms
            if lasted_ms < LEAST_MS:
                self._emulate(LEAST_MS - lasted_ms, now_ms)
            else:
                self._last_ms = now_ms

    def _emulate(self, for_ms: int, now_ms: int) -> None:
        self._emulating, self._left_ms, self._last_ms = True, for_ms, now_ms

    def _advance(self, now_ms: int) -> None:
        if not self._emulating or self._last_ms is None:
            return
        if not self._left_ms:
            self._emulating = self._in_gap(now_ms)
        elif now_ms - self._last_ms >= self._left_ms:
            self._left_ms, self._last_ms = 0, now_ms


def read_keys(presses: Sequence[Press], held_ms: Sequence[tuple[int, int]] = ()) -> list[KeyEvent]:
    """Return Asterisk's events of keys. held_ms: from, until; what is sent between these arrives at the latter."""
    ends = [press.begun_ms + press.duration_ms for press in presses] + [until for _, until in held_ms]
    end_ms = max(ends) + sum(LONGEST_WAIT_MS + press.duration_ms for press in presses)
    marks = [(press.begun_ms, (press, False)) for press in presses]
    marks += [(press.begun_ms + press.duration_ms, (press, True)) for press in presses]
    speech = [(at_ms, None) for at_ms in range(0, end_ms, FRAME_MS)]
    sent: list[tuple[int, tuple[Press, bool] | None]] = sorted([*marks, *speech], key=lambda each: each[0])
    arriving: dict[int, list[tuple[Press, bool] | None]] = {}
    for at_ms, packet in sent:
        held = [until for since, until in held_ms if since <= at_ms < until]
        arriving.setdefault(held[0] if held else at_ms, []).append(packet)
    reading, packets = KeyReading(), deque[tuple[Press, bool] | None]()
    for now_ms in range(end_ms):
        packets.extend(arriving.get(now_ms, ()))
        reading.read(packets, now_ms)
    return reading.events
