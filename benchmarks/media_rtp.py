"""RTP: parsing a datagram and taking it through the jitter buffer, beside pure Python and aiortc.

`python -m benchmarks.media_rtp --beside-aiortc` is run by aiortc's own environment and prints one case as JSON.
"""

from __future__ import annotations

import ctypes
import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.figures import Case, require
from benchmarks.rounds import faster, race
from media_core import JitterBuffer, build_rtp, parse_rtp

ROOT = Path(__file__).parents[1]
PACKETS = 1000
FRAME = 160
LEAST_RATIO = 8
SPENT = (
    "profile of one packet on a quiet core: packet object 68 ns, reading three of its fields 80 ns, put() 95 ns, "
    "get() 70 ns, of which the kernels take 65 ns; the rest are Python's objects and calls, which the engine lacks"
)
"""Where our time goes."""


def versions() -> dict[str, str]:
    """aiortc's version stands in its case."""
    return {}


def cases() -> Iterator[Case]:
    """Yield both comparisons; aiortc's is left out where its environment cannot be made."""
    from tools import bench_peers  # noqa: PLC0415 - aiortc's environment runs this module, too, and has no need of it

    ticks = line()
    ours, native, python = our_side(ticks), native_side(ticks), python_side(ticks)
    require_played(ours())
    require(native() == ours(), "the engine's buffer and the larger one play different frames")
    require(python() == PACKETS, "pure Python plays fewer frames than were sent")
    times = race({"ours": ours, "native": native, "python": python}, PACKETS)
    peer = "pure Python, the least that orders packets"
    yield faster(
        "RTP parse, jitter put and get, Python objects", times["ours"], peer, times["python"], LEAST_RATIO, SPENT
    )
    yield faster("RTP parse, jitter put and get, as in the engine", times["native"], peer, times["python"], LEAST_RATIO)
    interpreter = bench_peers.aiortc_python()
    if interpreter is not None:
        command = [str(interpreter), "-m", "benchmarks.media_rtp", "--beside-aiortc"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        yield Case(**json.loads(done.stdout))


def line() -> list[list[bytes]]:
    """Make what a line delivers from tick to tick: one datagram, but every 10th comes after the next."""
    payloads = np.random.default_rng(1).integers(0, 256, (PACKETS, FRAME), np.uint8)
    sent = [build_rtp(0, i, i * FRAME, 0x1234, payload.tobytes()) for i, payload in enumerate(payloads)]
    for place in range(9, PACKETS - 1, 10):
        sent[place], sent[place + 1] = sent[place + 1], sent[place]
    return [[datagram] for datagram in sent]


def require_played(frames: int) -> None:
    """All frames but the first that come late, from which the buffer learns the line."""
    require(frames >= PACKETS * 0.99, f"of {PACKETS} frames {frames} are played")


def our_side(ticks: list[list[bytes]]) -> Callable[[], int]:
    """Return what takes all datagrams in and counts the frames that come out."""

    def run() -> int:
        buffer = JitterBuffer()
        arrival = frames = 0
        for datagrams in ticks:
            for datagram in datagrams:
                packet = parse_rtp(datagram)
                buffer.put(packet.sequence, packet.timestamp, packet.payload, arrival)
            frames += buffer.get() is not None
            arrival += FRAME
        while buffer.get() is not None:
            frames += 1
        return frames

    return run


def native_side(ticks: list[list[bytes]]) -> Callable[[], int]:
    """Return the same without Python objects."""
    from benchmarks.native_library import compiled  # noqa: PLC0415 - not in aiortc's environment

    datagrams = [datagram for tick in ticks for datagram in tick]
    line_octets, size = b"".join(datagrams), len(datagrams[0])
    library = compiled("rtp_line", ["rtp", "jitter", "sequence", "transit"])
    library.play_line.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t)
    library.play_line.restype = ctypes.c_int64
    return lambda: int(library.play_line(line_octets, size, len(datagrams)))


@dataclass(slots=True)
class PlainPacket:
    """An RTP packet as one writes it in Python."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse_plainly(datagram: bytes) -> PlainPacket:
    """Parse RFC 3550 §5.1 with struct."""
    if len(datagram) < 12:
        raise ValueError("too short")
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", datagram)
    if first >> 6 != 2:
        raise ValueError("wrong version")
    start = 12 + 4 * (first & 15)
    end = len(datagram)
    if first & 0x10:
        start += 4 + 4 * struct.unpack_from("!H", datagram, start + 2)[0]
    if first & 0x20:
        end -= datagram[-1]
    if start > end:
        raise ValueError("cut")
    return PlainPacket(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, datagram[start:end])


class PlainJitterBuffer:
    """The least that puts packets in order: packets by number, played one after the other, late ones dropped."""

    def __init__(self) -> None:
        self._waiting: dict[int, bytes] = {}
        self._next: int | None = None
        self._waited = 0

    def put(self, sequence: int, payload: bytes) -> None:
        """Take one packet."""
        if self._next is None:
            self._next = sequence
        ahead = (sequence - self._next) & 0xFFFF
        if ahead < 0x8000 and sequence not in self._waiting:
            self._waiting[sequence] = payload

    def get(self) -> bytes | None:
        """Return the next frame, waiting two ticks for one that is missing."""
        if self._next is None:
            return None
        payload = self._waiting.pop(self._next, None)
        if payload is None and self._waiting and self._waited >= 2:
            self._waited = 0
        elif payload is None:
            self._waited += 1
            return None
        self._next = (self._next + 1) & 0xFFFF
        return payload


def python_side(ticks: list[list[bytes]]) -> Callable[[], int]:
    """Return the same in pure Python."""

    def run() -> int:
        buffer = PlainJitterBuffer()
        frames = 0
        for datagrams in ticks:
            for datagram in datagrams:
                packet = parse_plainly(datagram)
                buffer.put(packet.sequence, packet.payload)
            frames += buffer.get() is not None
        while buffer.get() is not None:
            frames += 1
        return frames

    return run


def beside_aiortc() -> Case:
    """Race with aiortc's parser and jitter buffer, which give out a frame once the next timestamp has begun."""
    import aiortc  # noqa: PLC0415 - of this environment only
    from aiortc.jitterbuffer import JitterBuffer as TheirBuffer  # noqa: PLC0415
    from aiortc.rtp import RtpPacket  # noqa: PLC0415

    ticks = line()

    def theirs() -> int:
        buffer = TheirBuffer(capacity=16, prefetch=0)
        frames = 0
        for datagrams in ticks:
            for datagram in datagrams:
                packet = RtpPacket.parse(datagram)
                # What its receiver does between the two for codecs without a payload format of their own.
                packet._data = packet.payload
                frames += buffer.add(packet)[1] is not None
        return frames

    ours = our_side(ticks)
    require_played(ours())
    require(theirs() >= PACKETS * 0.9, f"of {PACKETS} frames aiortc plays {theirs()}")
    times = race({"ours": ours, "aiortc": theirs}, PACKETS)
    peer = f"aiortc {aiortc.__version__}"
    return faster("RTP parse, jitter put and get", times["ours"], peer, times["aiortc"], LEAST_RATIO)


if __name__ == "__main__" and sys.argv[1:] == ["--beside-aiortc"]:
    print(json.dumps(asdict(beside_aiortc())))
