"""The test phone's sound: RTP out on an absolute clock, RTP in with the kernel's time stamps.

One MediaClock serves all calls of a phone, so fifty calls cost one timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from tests.support.phone_codec import CODECS, ULAW, PhoneCodec
from tests.support.phone_line import PhoneLine
from tests.support.recording import RATE_HZ, Recording

FRAME_SAMPLES = 160
FRAME_S = FRAME_SAMPLES / RATE_HZ
SILENT_FRAME = bytes(2 * FRAME_SAMPLES)
EVENT_TYPE = 101
"""Payload type that the phone offers for telephone events."""
KEYS = "0123456789*#ABCD"
"""In the order of their event codes (RFC 4733 §3.2)."""
REANCHOR_S = 0.06
"""A packet later than this against its RTP time stamp begins a stretch of its own."""

_MOST_FRAMES_AT_ONCE = 50
"""A phone on a machine that stalls for up to a second makes up for it in a burst, so that no word is lost."""
_SILENT_AMPLITUDE = 64
_SO_TIMESTAMPNS = 35
"""Linux: datagrams come with their time of arrival."""


@dataclass(slots=True)
class Playback:
    """Something the phone was asked to say."""

    pcm: bytes
    not_before_s: float
    started_at: float | None = None
    """When its first frame was sent; None until then."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its last frame was sent, or when it was dropped."""
    position: int = 0
    """Octets said so far."""


@dataclass(frozen=True, slots=True)
class HeardKey:
    """A key that the far side pressed."""

    key: str
    at_s: float
    """Arrival of its first packet."""


class MediaStream:
    """One call's audio, both ways."""

    def __init__(self, host: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.bind((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self.peer: tuple[str, int] | None = None
        """Where audio is sent; None sends nothing."""
        self.codec: PhoneCodec = ULAW
        self.event_type = EVENT_TYPE
        self.sending = True
        """As negotiated with the far side."""
        self.dumb = False
        """Send nothing whatever was negotiated: a crowd of phones costs less."""
        self.line: PhoneLine | None = None
        """The way to the PBX; None is a good one."""
        self.heard = Recording()
        self.said = Recording()
        self.keys: list[HeardKey] = []
        self.first_rx_at: float | None = None
        self.packets_received = 0
        self.packets_sent = 0
        self._playbacks: deque[Playback] = deque()
        self._events: deque[tuple[bytes, bool, bool]] = deque()
        self._event_done: list[tuple[int, asyncio.Event]] = []
        self._event_start = 0
        self._sequence = random.getrandbits(15)
        self._timestamp = random.getrandbits(31)
        self._ssrc = random.getrandbits(32)
        self._line: _ReceiveLine | None = None
        self._last_event_timestamp: int | None = None
        self._reading: asyncio.AbstractEventLoop | None = None

    def start_reading(self) -> None:
        """Take in what arrives from now on. May be called twice."""
        if self._reading is None:
            self._reading = asyncio.get_running_loop()
            self._reading.add_reader(self._socket, self._read)

    def play(self, pcm: bytes, at_s: float | None = None) -> Playback:
        """Say this after everything already queued, and not before `at_s` (monotonic)."""
        playback = Playback(pcm, at_s or 0.0)
        self._playbacks.append(playback)
        return playback

    def stop_playing(self) -> None:
        """Drop what is being said and what is queued."""
        while self._playbacks:
            self._playbacks.popleft().finished.set()

    def press(self, key: str, duration_ms: int = 120) -> asyncio.Event:
        """Queue a key as RFC 4733 events; the result is set when its end has been sent. Raises ValueError."""
        code = KEYS.index(key)
        ticks = max(1, duration_ms // 20)
        for tick in range(1, ticks + 1):
            self._events.append((struct.pack("!BBH", code, 10, tick * FRAME_SAMPLES), tick == 1, False))
        self._events.append((struct.pack("!BBH", code, 0x8A, ticks * FRAME_SAMPLES), False, True))
        done = asyncio.Event()
        self._event_done.append((len(self._events), done))
        self._events.extend([(b"", False, False)] * 3)
        return done

    def tick(self, now_s: float) -> None:
        """Send one frame of 20 ms."""
        if self.peer is None or not self.sending or self.dumb:
            return
        if self._events:
            self._send_event()
        else:
            frame = self._next_frame(now_s)
            self._send(self.codec.payload_type, self.codec.encode(frame), self._timestamp)
        self._timestamp += FRAME_SAMPLES

    def close(self) -> None:
        """Stop; whoever waits for a playback goes on. May be called twice."""
        if self._reading is not None:
            self._reading.remove_reader(self._socket)
            self._reading = None
        self.peer = None
        self._socket.close()
        self.stop_playing()
        for _, done in self._event_done:
            done.set()

    def _next_frame(self, now_s: float) -> bytes:
        if not self._playbacks or self._playbacks[0].not_before_s > now_s:
            return SILENT_FRAME
        playback = self._playbacks[0]
        if playback.started_at is None:
            playback.started_at = now_s
        frame = playback.pcm[playback.position : playback.position + len(SILENT_FRAME)]
        playback.position += len(SILENT_FRAME)
        if playback.position >= len(playback.pcm):
            self._playbacks.popleft()
            playback.finished.set()
        self.said.write(now_s, frame)
        return frame.ljust(len(SILENT_FRAME), b"\0")

    def _send_event(self) -> None:
        payload, first, last = self._events.popleft()
        self._event_done = [(left - 1, done) for left, done in self._event_done]
        if first:
            self._event_start = self._timestamp
        if payload:
            for _ in range(3 if last else 1):
                self._send(self.event_type, payload, self._event_start, marker=first)
        else:
            self._send(self.codec.payload_type, self.codec.encode(SILENT_FRAME), self._timestamp)
        while self._event_done and self._event_done[0][0] <= 0:
            self._event_done.pop(0)[1].set()

    def _send(self, kind: int, payload: bytes, timestamp: int, marker: bool = False) -> None:
        header = struct.pack(
            "!BBHII", 0x80, kind | (0x80 if marker else 0), self._sequence & 0xFFFF, timestamp & 0xFFFFFFFF, self._ssrc
        )
        self._sequence += 1
        self.packets_sent += 1
        if self.line is None:
            self._deliver(header + payload)
            return
        loop, now_s = asyncio.get_running_loop(), time.monotonic()
        for arrival_s in self.line.arrivals(now_s):
            loop.call_later(arrival_s - now_s, self._deliver, header + payload)

    def _deliver(self, packet: bytes) -> None:
        # The far side may have closed its port a moment ago, and so may we.
        with contextlib.suppress(OSError):
            self._socket.sendto(packet, self.peer or ("", 0))

    def _read(self) -> None:
        offset_s = time.monotonic() - time.time()
        while True:
            try:
                packet, ancillary, _, _ = self._socket.recvmsg(2048, 64)
            except (BlockingIOError, ConnectionRefusedError):
                return
            at_s = time.monotonic()
            for level, kind, value in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                    seconds, nanoseconds = struct.unpack("qq", value)
                    at_s = seconds + nanoseconds / 1e9 + offset_s
            if len(packet) > 12:
                self._take(packet, at_s)

    def _take(self, packet: bytes, at_s: float) -> None:
        kind, _, timestamp, ssrc = struct.unpack("!xBHII", packet[:12])
        kind &= 0x7F
        if kind == self.event_type:
            if timestamp != self._last_event_timestamp and packet[12] < len(KEYS):
                self._last_event_timestamp = timestamp
                self.keys.append(HeardKey(KEYS[packet[12]], at_s))
        elif kind in CODECS:
            self.packets_received += 1
            if self.first_rx_at is None:
                self.first_rx_at = at_s
            if self._line is None or self._line.ssrc != ssrc:
                self._line = _ReceiveLine(ssrc, self._line)
            pcm = CODECS[kind].decode(packet[12:])
            self.heard.write(self._line.place(timestamp, at_s, pcm), pcm)


class _ReceiveLine:
    """Place packets of one source on the wall-clock line, as a phone with a small jitter buffer plays them.

    Packets that follow each other by RTP time stamp stay joined, although they arrive early (in a burst) or a
    little late. One that comes more than 60 ms late, or after a jump of the time stamp, is placed at its arrival.
    What is behind the clock by more than that catches up in the next silence.
    """

    def __init__(self, ssrc: int, before: _ReceiveLine | None) -> None:
        self.ssrc = ssrc
        self._anchor_s: float | None = None
        self._anchor_timestamp = 0
        self._next_timestamp = 0
        self._end_s: float = before._end_s if before is not None else 0.0

    def place(self, timestamp: int, at_s: float, pcm: bytes) -> float:
        """Return the time of the packet's first sample."""
        samples = len(pcm) // 2
        follows = timestamp == self._next_timestamp
        where_s = at_s
        if self._anchor_s is not None:
            elapsed = (timestamp - self._anchor_timestamp + 2**31) % 2**32 - 2**31
            where_s = self._anchor_s + elapsed / RATE_HZ
        late, early = at_s - where_s > REANCHOR_S, where_s - at_s > REANCHOR_S
        if early and (not follows or _is_silent(pcm)):
            where_s = at_s
        elif late:
            where_s = max(at_s, self._end_s) if follows else at_s
        if self._anchor_s is None or early or late:
            self._anchor_s, self._anchor_timestamp = where_s, timestamp
        self._next_timestamp = (timestamp + samples) % 2**32
        self._end_s = where_s + samples / RATE_HZ
        return where_s


def _is_silent(pcm: bytes) -> bool:
    return bool(np.max(np.abs(np.frombuffer(pcm, dtype="<i2").astype(np.int32)), initial=0) < _SILENT_AMPLITUDE)


class MediaClock:
    """Ticks every stream each 20 ms on an absolute line; late ticks are made up for."""

    def __init__(self) -> None:
        self.streams: set[MediaStream] = set()

    async def run(self) -> None:
        """Tick until cancelled."""
        due_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            if now_s - due_s > _MOST_FRAMES_AT_ONCE * FRAME_S:
                due_s = now_s
            while due_s <= now_s:
                for stream in tuple(self.streams):
                    stream.tick(now_s)
                due_s += FRAME_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
