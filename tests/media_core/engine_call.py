"""A media engine whose time the test winds, with phones on the loopback interface."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from media_core.engine import Engine, Session
from media_core.engine_events import EventKind
from media_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from media_core.g722 import G722Decoder, G722Encoder
from media_core.rtp import RtpPacket, build_rtp, parse_rtp

FRAME_S = 0.02
TICKS = 160


def udp_socket() -> socket.socket:
    """Bind a port of the loopback interface."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def swap_octets(pcm: bytes) -> bytes:
    """Turn little-endian samples into network order, and back."""
    return struct.pack(f">{len(pcm) // 2}h", *struct.unpack(f"<{len(pcm) // 2}h", pcm))


@dataclass(frozen=True, slots=True)
class Codec:
    """The phone's side of a codec, by the classes of the media core."""

    payload_type: int
    rate_hz: int
    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]


def codec_named(name: str) -> Codec:
    """Return a codec with fresh states."""
    return {
        "ulaw": Codec(0, 8000, ulaw_encode, ulaw_decode),
        "alaw": Codec(8, 8000, alaw_encode, alaw_decode),
        "slin": Codec(10, 8000, swap_octets, swap_octets),
        "g722": Codec(9, 16000, G722Encoder().encode, G722Decoder().decode),
    }[name]


class Phone:
    """The other end of one call."""

    def __init__(self, codec: str = "slin") -> None:
        self.codec = codec_named(codec)
        self.socket = udp_socket()
        self.address: tuple[str, int] = self.socket.getsockname()
        self.ssrc = 0x1234
        self.sequence = 65530  # wraps soon
        self.timestamp = 0xFFFF_FF00
        self.packets: list[RtpPacket] = []

    def say(self, pcm: bytes, to: tuple[str, int]) -> None:
        """Send 20 ms."""
        self.send(self.packet(self.codec.encode(pcm)), to)

    def packet(self, payload: bytes, payload_type: int | None = None) -> bytes:
        """Make the next packet."""
        kind = self.codec.payload_type if payload_type is None else payload_type
        packet = build_rtp(kind, self.sequence, self.timestamp, self.ssrc, payload)
        self.sequence += 1
        self.timestamp += TICKS
        return packet

    def send(self, octets: bytes, to: tuple[str, int]) -> None:
        """Send any datagram."""
        self.socket.sendto(octets, to)

    def collect(self) -> list[RtpPacket]:
        """Take what came since the last time."""
        fresh: list[RtpPacket] = []
        while True:
            try:
                fresh.append(parse_rtp(self.socket.recv(2048)))
            except BlockingIOError:
                self.packets += fresh
                return fresh

    def heard(self) -> bytes:
        """Return everything that came as PCM, placed by its timestamps."""
        self.collect()
        pcm = bytearray()
        for packet in self.packets:
            ticks = (packet.timestamp - self.packets[0].timestamp) & 0xFFFF_FFFF
            pcm = pcm.ljust(ticks * self.codec.rate_hz // 8000 * 2, b"\0")
            pcm += self.codec.decode(packet.payload)
        return bytes(pcm)

    def close(self) -> None:
        self.socket.close()


@dataclass(frozen=True, slots=True)
class Event:
    """One row of `Engine.events()`."""

    kind: EventKind
    session: int
    position: int
    value: int
    samples: int
    level_dbfs: float
    frequency_hz: float
    code: int


class Bench:
    """An engine run by hand, and its phones. Everything is closed by `close()`."""

    def __init__(self, *, capacity: int = 4, block_ms: int = 60) -> None:
        self.engine = Engine(udp_socket(), capacity=capacity, threaded=False, block_ms=block_ms)
        self.now = 1000.0
        self.phones: list[Phone] = []
        self.seen: list[Event] = []
        """All events so far."""

    @property
    def address(self) -> tuple[str, int]:
        """Return where phones send to."""
        address = self.engine.local_address
        assert address is not None
        return address

    def call(self, codec: str = "slin", **options: object) -> tuple[Session, Phone]:
        """Open a session with a phone of its own; its position 0 is now."""
        phone = Phone(codec)
        self.phones.append(phone)
        session = self.engine.open(codec, **options)  # type: ignore[arg-type]
        session.connect(*phone.address)
        return session, phone

    def pass_frames(self, frames: int = 1, *, late_s: float = 0.0) -> list[Event]:
        """Run the engine once per 20 ms and return what happened."""
        fresh: list[Event] = []
        for _ in range(frames):
            self.engine.step(self.now + late_s)
            self.now += FRAME_S
            fresh += self.events()
        return fresh

    def events(self) -> list[Event]:
        """Take the events that wait."""
        fresh = [
            Event(EventKind(kind), session, position, value, samples, level, frequency, code)
            for session, position, value, samples, level, frequency, kind, code in self.engine.events().tolist()
        ]
        self.seen += fresh
        return fresh

    def of_kind(self, *kinds: EventKind) -> list[Event]:
        """Return the events of these kinds so far."""
        return [event for event in self.seen if event.kind in kinds]

    def close(self) -> None:
        self.engine.close()
        for phone in self.phones:
            phone.close()


def square(ms: int, rate_hz: int = 8000, level: int = 12000) -> bytes:
    """Make a loud sound of 200 Hz."""
    half = rate_hz // 400
    period = struct.pack("<h", level) * half + struct.pack("<h", -level) * half
    size = ms * rate_hz // 1000 * 2
    return (period * (size // len(period) + 1))[:size]
