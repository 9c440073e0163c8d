"""The engine on its own thread, in real time: it runs without Python, starts and stops, and leaves nothing behind."""

from __future__ import annotations

import gc
import logging
import os
import random
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from media_core.engine import Engine, Session
from media_core.engine_events import EventKind
from media_core.errors import EngineFull, EngineStartError, PlayoutFull
from tests.media_core.engine_call import Event, Phone, square, udp_socket

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0


def run_program(program: str) -> str:
    """Run Python in a process of its own; it must end well and complain of nothing. Returns what it prints."""
    command = [sys.executable, "-W", "ignore", "-c", program]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    return shown.stdout


class Running:
    """An engine with a thread, and its phones."""

    def __init__(self, capacity: int = 8) -> None:
        self.engine = Engine(udp_socket(), capacity=capacity)
        self.engine.start()
        self.phones: list[Phone] = []
        self.seen: list[Event] = []

    @property
    def address(self) -> tuple[str, int]:
        address = self.engine.local_address
        assert address is not None
        return address

    def call(self, codec: str = "slin") -> tuple[Session, Phone]:
        phone = Phone(codec)
        self.phones.append(phone)
        session = self.engine.open(codec)
        session.connect(*phone.address)
        return session, phone

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Fetch events as they come until the condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            select.select([self.engine], [], [], 0.02)
            self.seen += [
                Event(EventKind(row[6]), row[0], row[1], row[2], row[3], row[4], row[5], row[7])
                for row in self.engine.events().tolist()
            ]

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.seen]

    def close(self) -> None:
        self.engine.close()
        for phone in self.phones:
            phone.close()


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.close()


def test_sound_goes_both_ways_on_time(running: Running) -> None:
    session, phone = running.call("ulaw")
    mark = session.play(square(400))
    started = time.monotonic()
    for _ in range(5):
        phone.say(square(20), running.address)
    running.wait_until(lambda: EventKind.MARK_REACHED in running.kinds())
    assert session.played_samples == mark == 3200
    assert time.monotonic() - started > 0.35
    running.wait_until(lambda: EventKind.BLOCK_READY in running.kinds())
    assert session.read() is not None
    assert len(phone.collect()) >= 20


def test_the_media_go_on_while_the_interpreter_is_busy(running: Running) -> None:
    session, phone = running.call("ulaw")
    session.play(square(1000))
    running.wait_until(lambda: session.played_samples > 0)
    held = threading.Lock()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(10)  # this thread keeps the interpreter to itself
    try:
        with held:
            before = session.played_samples
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                sum(range(1000))
            after = session.played_samples
    finally:
        sys.setswitchinterval(interval)
    # A stolen core may cost some, but an engine that waits for the interpreter would have sent one frame.
    assert (after - before) // 160 >= 3
    assert len(phone.collect()) >= 3


def test_clear_is_heard_with_the_next_frame(running: Running) -> None:
    session, phone = running.call("slin")
    session.play(square(5000))
    running.wait_until(lambda: session.played_samples >= 1600)
    session.clear()
    # At most the fade is still to come, and nobody has to wait for the thread to know the count.
    left = session.queued_samples
    at_most = session.played_samples + left
    assert left <= 40
    running.wait_until(lambda: session.queued_samples == 0)
    mark = session.play(square(20))
    assert mark == session.played_samples + 160 <= at_most + 160
    running.wait_until(lambda: EventKind.MARK_REACHED in running.kinds())
    assert session.played_samples == mark
    assert len(phone.heard()) // 2 >= mark


def test_1000_starts_and_stops_leave_nothing_behind() -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    threads = len(os.listdir("/proc/self/task"))
    for number in range(1000):
        with Engine(udp_socket(), capacity=2) as engine:
            session = engine.open("ulaw")
            session.connect("127.0.0.1", 9)
            engine.start()
            session.play(square(20))
            if number % 2:
                session.close()
    del session, engine
    gc.collect()
    # What other tests of this process have left behind may go meanwhile.
    assert len(os.listdir("/proc/self/task")) <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_calls_come_and_go_while_others_are_played_and_cleared(running: Running) -> None:
    """Every count that both threads keep is exact at the end, whatever met whatever."""
    chance = random.Random(3)
    phones = [Phone("slin") for _ in range(8)]
    running.phones += phones
    calls: dict[int, Session] = {}
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        number = chance.randrange(8)
        session = calls.get(number)
        if session is None:
            try:
                session = running.engine.open("slin")
            except EngineFull:  # the thread has not yet let go of those that have just been closed
                continue
            calls[number] = session
            session.connect(*phones[number].address)
            session.record(chance.random() < 0.5)
        what = chance.random()
        if what < 0.6:
            try:
                session.play(square(chance.choice([1, 7, 20, 45])))
            except PlayoutFull:
                session.clear()
        elif what < 0.8:
            session.clear()
        elif what < 0.82:
            session.close()
            del calls[number]
        else:
            phones[number].say(square(20), running.address)
        if number in calls:
            session.read()
            assert 0 <= session.queued_samples <= 64 * 360
        running.engine.events()
    for session in calls.values():
        session.clear()
    running.wait_until(lambda: all(session.queued_samples == 0 for session in calls.values()))
    before = {number: session.position for number, session in calls.items()}
    running.wait_until(lambda: all(calls[number].position >= before[number] + 320 for number in before))
    last = {number: session.play(square(40)) for number, session in calls.items()}
    running.wait_until(lambda: all(session.queued_samples == 0 for session in calls.values()))
    assert {number: session.played_samples for number, session in calls.items()} == last
    assert running.engine.stats().dropped_events == 0


def test_audio_is_alive_until_the_thread_has_let_go_of_it(running: Running) -> None:
    session, _ = running.call("ulaw")
    piece = bytes(bytearray(square(500)))
    references = sys.getrefcount(piece)
    session.play(piece)
    session.close()
    running.wait_until(lambda: sys.getrefcount(piece) == references)


def test_without_permission_the_thread_runs_all_the_same_and_that_is_said_once() -> None:
    program = """
import logging, resource, os, socket, sys
logging.basicConfig(format="%(message)s", stream=sys.stdout)
from media_core.engine import Engine
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
if os.getuid() == 0:
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
for _ in range(3):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(("127.0.0.1", 0))
    with Engine(sock) as engine:
        engine.start()
        assert not engine.stats().real_time
"""
    assert run_program(program).count("real-time priority") == 1


def test_no_priority_asked_for_is_nothing_to_complain_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with Engine(udp_socket()) as engine:
        engine.start(priority=0)
        assert not engine.stats().real_time
    assert caplog.records == []


def test_a_core_that_is_not_there_is_refused() -> None:
    with Engine(udp_socket()) as engine:
        with pytest.raises(EngineStartError, match="media thread"):
            engine.start(core=1000)
        engine.start(core=min(os.sched_getaffinity(0)))


@pytest.mark.parametrize("end", ["", "os._exit(0)", "sys.exit(0)", "raise SystemExit"])
def test_a_process_may_end_while_its_engine_runs(end: str) -> None:
    program = f"""
import os, socket, sys
from media_core.engine import Engine
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(("127.0.0.1", 0))
engine = Engine(sock); engine.start()
session = engine.open("ulaw"); session.connect("127.0.0.1", 9)
for _ in range(60): session.play(bytes(16000 * 100))
{end}
"""
    run_program(program)


def test_a_forked_process_lets_its_parents_engine_alone() -> None:
    program = """
import os, socket, time
from media_core.engine import Engine
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(("127.0.0.1", 0))
engine = Engine(sock); engine.start()
session = engine.open("ulaw"); session.connect("127.0.0.1", 9); session.play(bytes(160000))
child = os.fork()
if child == 0:
    engine.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
before, deadline = session.played_samples, time.monotonic() + 10
while session.played_samples < before + 1600:
    assert time.monotonic() < deadline
engine.close()
"""
    run_program(program)


def forget_an_engine() -> list[tuple[str, int]]:
    """Run an engine with two calls, one on a port of its own, and let go of it; return its ports."""
    ports = [udp_socket() for _ in range(2)]
    addresses = [port.getsockname() for port in ports]
    engine = Engine(ports[0], capacity=2)
    for number, session in enumerate((engine.open("ulaw"), engine.open("ulaw", ports[1]))):
        session.connect("127.0.0.1", 9 + number)
        session.play(square(500_000))
    engine.start()
    # The collector may do so with sockets that it finds together with their engine.
    for port in ports:
        port.close()
    return addresses


def is_free(address: tuple[str, int]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(address)
        except OSError:
            return False
        return True


def test_an_engine_that_is_forgotten_stops_before_what_it_reads_is_given_back() -> None:
    gc.collect()
    threads, descriptors = (len(os.listdir(f"/proc/self/{kind}")) for kind in ("task", "fd"))
    addresses = forget_an_engine()
    assert not any(is_free(address) for address in addresses), "the media thread reads what is somebody else's by now"
    with pytest.warns(ResourceWarning, match="not closed"):
        gc.collect()
    gc.collect()  # the warning held it
    assert all(is_free(address) for address in addresses)
    assert len(os.listdir("/proc/self/task")) <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors
