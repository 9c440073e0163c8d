"""A line for the jitter buffer: packets with a time of arrival, and a clock that ticks past them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from media_core import JitterBuffer

FRAME = 160
"""Samples in 20 ms of the RTP clock."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet on its way; `arrival` in samples of the session clock."""

    sequence: int
    timestamp: int
    payload: bytes
    arrival: int


def frame(index: int) -> bytes:
    """Make a frame that can be told from the others."""
    return index.to_bytes(4, "big") * (FRAME // 4)


def index_of(payload: bytes) -> int:
    """Tell which frame this is; it must be whole."""
    index = int.from_bytes(payload[:4], "big")
    assert payload == frame(index)
    return index


def stream(
    count: int, delays_ms: Sequence[float] = (0.0,), *, first_sequence: int = 0, first_timestamp: int = 0
) -> list[Packet]:
    """Send so many frames, one each 20 ms, on a line with these delays in turn."""
    return [
        Packet(
            sequence=(first_sequence + i) % 2**16,
            timestamp=(first_timestamp + i * FRAME) % 2**32,
            payload=frame(i),
            arrival=(i + 1) * FRAME + int(delays_ms[i % len(delays_ms)] * 8),
        )
        for i in range(count)
    ]


def play(buffer: JitterBuffer, packets: Iterable[Packet], *, ticks: int, phase: int = FRAME // 2) -> list[int | None]:
    """Tick every 20 ms, putting first what has arrived; return the frames played, None where there was none.

    phase: time of the first tick in samples after the first frame has been spoken.
    """
    waiting = sorted(packets, key=lambda packet: packet.arrival)
    played: list[int | None] = []
    for tick in range(ticks):
        now = FRAME + phase + tick * FRAME
        while waiting and waiting[0].arrival <= now:
            packet = waiting.pop(0)
            buffer.put(packet.sequence, packet.timestamp, packet.payload, packet.arrival)
        payload = buffer.get()
        played.append(None if payload is None else index_of(payload))
    return played
