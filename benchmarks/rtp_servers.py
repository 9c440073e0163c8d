"""Media servers in processes of their own: the engine, and a task per call on asyncio and on uvloop.

`python -m benchmarks.rtp_servers engine|asyncio|uvloop CALLS CORE PEER_PORT`, run by `rtp_load`. Each prints where its
calls go; a line on the standard input begins the measurement, another ends it, and at the end of the input it reports.
The callers' addresses are those of rtp_generator.c.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import os
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self, cast

import uvloop

from benchmarks.media_rtp import PlainJitterBuffer, parse_plainly
from media_core import build_rtp
from media_core.engine import Engine, Session
from tests.support.speech import caller_says

with warnings.catch_warnings():
    # The standard library had it until 3.12 and warned that it would go; audioop-lts is the same code.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

HOST = "127.0.0.1"
FIRST_CALLER = ipaddress.IPv4Address("127.1.0.0")
FRAME_S = 0.02
FRAME = 160
SLOTS = 10
"""Ticks of the engine in 20 ms."""
LONGEST_LIFE_S = 300
PIECES = 4
"""Of speech, queued for each call of the engine; more than a run takes."""
POLL_S = 0.02
WORDS = "Good morning, this is the surgery. How can I help you today? Please tell me your name and number."


def caller(number: int) -> str:
    """Return the address of one of the generator's callers."""
    return str(FIRST_CALLER + number)


def take_core(core: int) -> bool:
    """Stay on this core, in real time if that is permitted."""
    os.sched_setaffinity(0, {core})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except PermissionError:
        return False
    return True


def say(**words: object) -> None:
    """Tell `rtp_load` something."""
    print(json.dumps(words), flush=True)


# --- the engine -------------------------------------------------------------------------------------------------


def open_calls(engine: Engine, count: int, port: int, pcm: bytes) -> list[Session]:
    """Connect the engine with so many callers, and let it speak to all of them."""
    sessions = [engine.open("ulaw") for _ in range(count)]
    for number, session in enumerate(sessions):
        for _ in range(PIECES):
            session.play(pcm)
        session.connect(caller(number), port)
    while any(session.position == 0 for session in sessions):
        time.sleep(FRAME_S)
    return sessions


@dataclass(frozen=True, slots=True)
class EngineTimes:
    """What an engine has done by a moment."""

    ticks: int
    cpu_s: float
    process_s: float
    late_ms_p99: float
    late_ms_p999: float
    took_ms_p99: float
    """What was due at once."""

    @classmethod
    def of(cls, engine: Engine) -> Self:
        """Look at an engine."""
        stats = engine.stats()
        return cls(
            stats.ticks,
            stats.cpu_s,
            time.process_time(),
            engine.lateness_s(0.99) * 1000,
            engine.lateness_s(0.999) * 1000,
            engine.duration_s(0.99) * 1000,
        )


def serve_by_engine(calls: int, core: int, port: int) -> None:
    """Carry the calls on an engine; its events are fetched, the audio that they tell of is left in the engine."""
    os.sched_setaffinity(0, {core})
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    with Engine(sock, capacity=calls) as engine:
        engine.start(core=core)
        sessions = open_calls(engine, calls, port, caller_says(WORDS) * 4)
        say(ports=[sock.getsockname()[1]])
        looks = list(watch(engine))
        stats, counts = engine.stats(), [session.stats() for session in sessions]
    before, after = looks
    say(
        heard=stats.received - stats.strangers,
        frames=(after.ticks - before.ticks) * calls // SLOTS,
        cpu_s=after.cpu_s - before.cpu_s,
        process_s=after.process_s - before.process_s,
        late_ms_p99=after.late_ms_p99,
        late_ms_p999=after.late_ms_p999,
        took_ms_p99=after.took_ms_p99,
        missed=sum(count.lost + count.late for count in counts),
        unsent=stats.unsent,
        real_time=stats.real_time,
    )


def watch(engine: Engine) -> Iterator[EngineTimes]:
    """Fetch the engine's events until the input ends; yield at every line how it stands, the times since the last."""
    while True:
        readable, _, _ = select.select([sys.stdin, engine], [], [], 1.0)
        if sys.stdin in readable:
            if not os.read(sys.stdin.fileno(), 64):
                return
            yield EngineTimes.of(engine)
            engine.forget_times()
        engine.events()
        time.sleep(POLL_S)


# --- a task per call --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Measured:
    """What all calls of a loop note down."""

    lateness_s: list[float] = field(default_factory=list)
    heard: int = 0
    sent: int = 0


class PlainCall(asyncio.DatagramProtocol):
    """A call as one writes it in Python: a socket, a jitter buffer and a task of its own."""

    def __init__(self, measured: Measured, pcm: bytes) -> None:
        """pcm: what is said to the caller, again and again."""
        self._measured = measured
        self._pcm = pcm
        self._buffer = PlainJitterBuffer()
        self._transport: asyncio.DatagramTransport | None = None
        self.level = 0
        """Of the caller's last frame."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's has no such base class

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take a packet."""
        packet = parse_plainly(data)
        self._buffer.put(packet.sequence, packet.payload)
        self._measured.heard += 1

    async def run(self, due_s: float) -> None:
        """Every 20 ms: take a frame from the buffer, decode and weigh it; encode one and send it."""
        loop = asyncio.get_running_loop()
        measured, silence = self._measured, bytes(2 * FRAME)
        sequence = at = 0
        while True:
            await asyncio.sleep(due_s - loop.time())
            measured.lateness_s.append(loop.time() - due_s)
            payload = self._buffer.get()
            heard = silence if payload is None else audioop.ulaw2lin(payload, 2)
            self.level = audioop.rms(heard, 2)
            frame = audioop.lin2ulaw(self._pcm[at : at + 2 * FRAME], 2)
            if self._transport is not None:
                self._transport.sendto(build_rtp(0, sequence & 0xFFFF, sequence * FRAME & 0xFFFF_FFFF, 1, frame))
            measured.sent += 1
            sequence += 1
            at = (at + 2 * FRAME) % (len(self._pcm) - 2 * FRAME)
            due_s += FRAME_S


async def serve_by_tasks(calls: int, port: int) -> None:
    """Carry the calls with a socket and a task for each."""
    loop = asyncio.get_running_loop()
    measured, pcm = Measured(), caller_says(WORDS)
    ports, tasks = [], []
    start_s = loop.time() + 0.5
    for number in range(calls):
        transport, call = await loop.create_datagram_endpoint(
            lambda: PlainCall(measured, pcm), local_addr=(HOST, 0), remote_addr=(caller(number), port)
        )
        ports.append(transport.get_extra_info("sockname")[1])
        tasks.append(asyncio.create_task(call.run(start_s + FRAME_S * number / calls)))
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: lines.put_nowait(os.read(sys.stdin.fileno(), 64)))
    say(ports=ports)
    await lines.get()
    measured.lateness_s.clear()
    frames, cpu_s = measured.sent, time.process_time()
    await lines.get()
    frames, cpu_s = measured.sent - frames, time.process_time() - cpu_s
    lateness = sorted(measured.lateness_s)
    await lines.get()
    loop.remove_reader(sys.stdin)
    for task in tasks:
        task.cancel()
    say(
        heard=measured.heard,
        frames=frames,
        cpu_s=cpu_s,
        late_ms_p99=lateness[int(len(lateness) * 0.99)] * 1000,
        late_ms_p999=lateness[int(len(lateness) * 0.999)] * 1000,
    )


def main(words: Sequence[str] | None = None) -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("engine", "asyncio", "uvloop"))
    for name in ("calls", "core", "port"):
        parser.add_argument(name, type=int)
    options = parser.parse_args(words)
    signal.alarm(LONGEST_LIFE_S)
    if options.kind == "engine":
        serve_by_engine(options.calls, options.core, options.port)
        return
    take_core(options.core)
    factory = uvloop.new_event_loop if options.kind == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve_by_tasks(options.calls, options.port))


if __name__ == "__main__":
    main()
