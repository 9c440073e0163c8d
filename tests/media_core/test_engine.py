"""The engine itself: sessions and their handles, capacity, running by hand, sockets."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

import pytest

from media_core.engine import Engine, Session, resources
from media_core.engine_events import EventKind
from media_core.errors import (
    EngineFull,
    EngineStartError,
    EngineStopped,
    FrameSizeError,
    PeerAddressError,
    RateError,
    StaleHandle,
)
from tests.media_core.engine_call import Bench, Phone, square, udp_socket


def test_a_call_carries_sound_both_ways(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    session.play(square(200))
    for _ in range(30):
        phone.say(square(20, level=5000), bench.address)
        bench.pass_frames()
    assert len(phone.collect()) == 30
    assert session.played_samples == 1600
    found = session.read()
    assert found is not None
    assert max(found[1]) > 0
    stats = session.stats()
    assert (stats.received, stats.sent, stats.lost, stats.garbage) == (30, 30, 0, 0)


def test_sessions_share_the_port_and_hear_nobody_but_their_own_peer(bench: Bench) -> None:
    calls = [bench.call("slin") for _ in range(4)]
    for _ in range(12):
        for number, (_, phone) in enumerate(calls):
            phone.say(square(20, level=1000 * (number + 1)), bench.address)
        bench.pass_frames()
    for number, (session, _) in enumerate(calls):
        session.read()
        found = session.read()
        assert found is not None
        assert set(memoryview(found[1]).cast("h")) == {1000 * (number + 1), -1000 * (number + 1)}


def misuses_of(session: Session) -> list[Callable[[], object]]:
    """Return every use of a session but closing it."""
    return [
        lambda: session.play(square(20)),
        session.clear,
        lambda: session.connect("127.0.0.1", 9),
        session.read,
        session.view,
        session.advance,
        lambda: session.record(True),
        session.recorded,
        lambda: session.switch(tones=True),
        lambda: session.set_alarm(0),
        session.stats,
        lambda: session.position,
        lambda: session.played_samples,
        lambda: session.queued_samples,
    ]


def test_a_stale_handle_raises_and_never_touches_the_call_that_has_its_place_now(bench: Bench) -> None:
    before = [bench.call() for _ in range(4)]
    numbers = {session.handle & 0xFFFF_FFFF for session, _ in before}
    for session, _ in before:
        session.close()
    bench.pass_frames()
    after: list[Session] = []
    while not numbers & {session.handle & 0xFFFF_FFFF for session in after}:
        after.append(bench.call()[0])
        assert len(after) <= 4
    handles = {session.handle for session, _ in before}
    assert not handles & {session.handle for session in after}
    for session, _ in before:
        for misuse in misuses_of(session):
            with pytest.raises(StaleHandle):
                misuse()
        session.close()
    bench.pass_frames(3)
    assert all(session.played_samples == 0 for session in after)
    assert all(session.stats().sent == 3 for session in after)


def test_generations_are_told_apart_through_thousands_of_calls_in_one_place() -> None:
    with Engine(udp_socket(), capacity=1, threaded=False) as engine:
        handles = set()
        for _ in range(5000):
            session = engine.open("ulaw")
            handles.add(session.handle)
            session.close()
        assert len(handles) == 5000


def test_beyond_its_capacity_the_engine_refuses_and_the_calls_go_on(bench: Bench) -> None:
    calls = [bench.call() for _ in range(4)]
    with pytest.raises(EngineFull, match="4 calls"):
        bench.engine.open("ulaw")
    assert EngineFull.retryable
    bench.pass_frames(5)
    assert all(session.stats().sent == 5 for session, _ in calls)
    calls[0][0].close()
    bench.engine.open("ulaw").close()


def test_unknown_codecs_are_refused(bench: Bench) -> None:
    with pytest.raises(RateError, match="opus"):
        bench.engine.open("opus")
    assert resources()["sessions"] == 0


@pytest.mark.parametrize("options", [{"capacity": 0}, {"capacity": 1 << 21}, {"block_ms": 50}, {"block_ms": 0}])
def test_numbers_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(FrameSizeError):
        Engine(None, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("host", "port"), [("pbx.example", 4000), ("", 4000), ("127.0.0.1", 0), ("127.0.0.1", 65536)])
def test_a_peer_without_a_numeric_address_is_refused(bench: Bench, host: str, port: int) -> None:
    session = bench.engine.open("ulaw")
    with pytest.raises(PeerAddressError, match="numeric"):
        session.connect(host, port)


def test_an_address_belongs_to_one_session_until_it_is_closed(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    other = bench.engine.open("ulaw")
    with pytest.raises(PeerAddressError, match="another session"):
        other.connect(*phone.address)
    session.close()
    other.connect(*phone.address)
    phone.say(square(20), bench.address)
    bench.pass_frames()
    assert other.stats().received == 1


def test_a_session_has_one_peer(bench: Bench) -> None:
    session, _ = bench.call()
    with pytest.raises(PeerAddressError, match="already"):
        session.connect("127.0.0.1", 4000)


def test_the_session_clock_starts_at_0_and_advances_with_time(bench: Bench) -> None:
    session, _ = bench.call("g722")
    assert session.position == 0
    bench.pass_frames()
    assert session.position == 0
    bench.pass_frames(50)
    assert session.position == 16000


def test_a_session_that_is_not_connected_neither_sends_nor_runs(bench: Bench) -> None:
    session = bench.engine.open("ulaw")
    session.play(square(100))
    bench.pass_frames(10)
    assert (session.position, session.played_samples) == (0, 0)


def test_step_says_when_it_is_due_again(bench: Bench) -> None:
    assert bench.engine.step(5.0) == pytest.approx(5.02)
    assert bench.engine.step(5.01) == pytest.approx(5.02)
    assert bench.engine.step(5.02) == pytest.approx(5.04)


def test_an_engine_made_for_stepping_has_no_thread_and_the_other_way_round() -> None:
    with Engine(udp_socket(), threaded=False) as engine, pytest.raises(EngineStopped):
        engine.start()
    with Engine(udp_socket()) as engine:
        engine.start()
        with pytest.raises(EngineStopped):
            engine.step(0.0)
        with pytest.raises(EngineStopped):
            engine.start()


def test_a_closed_engine_refuses_everything_and_may_be_closed_again(bench: Bench) -> None:
    session, _ = bench.call()
    bench.engine.close()
    bench.engine.close()
    session.close()
    misuses: list[Callable[[], object]] = [
        lambda: bench.engine.open("ulaw"),
        bench.engine.events,
        lambda: bench.engine.step(1.0),
        bench.engine.stats,
        *misuses_of(session),
    ]
    for misuse in misuses:
        with pytest.raises(EngineStopped):
            misuse()


def test_closing_an_engine_gives_its_port_back() -> None:
    sock = udp_socket()
    address = sock.getsockname()
    Engine(sock, threaded=False).close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(address)


def test_an_engine_that_is_forgotten_complains() -> None:
    with udp_socket() as sock:
        engine = Engine(sock, threaded=False)
        with pytest.warns(ResourceWarning, match="not closed"):
            del engine


def test_a_session_may_have_a_port_of_its_own(bench: Bench) -> None:
    own = udp_socket()
    address = own.getsockname()
    phone = Phone("ulaw")
    stranger = Phone("ulaw")
    bench.phones += [phone, stranger]
    phone.say(square(20), address)  # before there is a peer: nobody can say whose it is
    session = bench.engine.open("ulaw", own)
    session.connect(*phone.address)
    for _ in range(5):
        phone.say(square(20), address)
        stranger.say(square(20), address)
        bench.pass_frames()
    stats = session.stats()
    assert (stats.received, stats.strangers, stats.sent) == (5, 5, 5)
    assert len(phone.collect()) == 5
    session.close()
    assert own.fileno() == -1


def test_an_engine_without_a_port_wants_one_for_each_session() -> None:
    with Engine(None, threaded=False) as engine:
        assert engine.local_address is None
        with pytest.raises(EngineStartError, match="port"):
            engine.open("ulaw")
        session = engine.open("ulaw", udp_socket())
        session.connect("127.0.0.1", 4000)
        engine.step(1.0)
        assert session.stats().sent == 1


def test_events_wake_their_reader(bench: Bench) -> None:
    session, _ = bench.call()
    session.play(square(20))
    assert select.select([bench.engine], [], [], 0)[0] == []
    bench.engine.step(bench.now)
    assert select.select([bench.engine], [], [], 0)[0] == [bench.engine]
    assert [event.kind for event in bench.events()] == [EventKind.PLAYOUT_STARTED, EventKind.MARK_REACHED]
    assert select.select([bench.engine], [], [], 0)[0] == []
    assert bench.events() == []


def test_events_that_nobody_fetches_are_counted_and_the_engine_goes_on(bench: Bench) -> None:
    session, _ = bench.call()
    for _ in range(600):
        for _ in range(3):
            session.play(square(1))
        bench.engine.step(bench.now)
        bench.now += 0.02
    assert len(bench.engine.events()) == 1024
    assert bench.engine.stats().dropped_events > 0
    assert session.played_samples == 600 * 24
    session.play(square(20))
    assert EventKind.MARK_REACHED in {event.kind for event in bench.pass_frames(2)}


def test_memory_per_call_stays_within_32_kib() -> None:
    with Engine(None, capacity=1000) as engine:
        # 1 s of queued G.711 lies outside, in the prompt that is played.
        assert engine.stats().memory_octets / 1000 + 8000 <= 32 * 1024
