"""Sessions of the engine over connections: what Python may do with them; tests/native tries what comes over them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from media_core.engine import Engine, Session, resources
from media_core.engine_events import EventKind, PeerEnd
from media_core.errors import EngineFull, PeerAddressError, RateError, StaleHandle
from tests.media_core.engine_call import Bench, square, udp_socket


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    ours.setblocking(False)
    theirs.settimeout(5)
    with ours, theirs:
        yield ours, theirs


def heard(session: Session) -> bytes:
    pcm = b""
    while (found := session.read()) is not None:
        pcm += found[1]
    return pcm


def test_an_engine_without_a_port_carries_connections(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with Engine(capacity=1, threaded=False) as engine:
        session = engine.open_connection("slin")
        session.link(ours)
        session.play(square(20))
        for beat in range(12):
            engine.step(1000 + 0.02 * beat)
            if beat == 2:
                theirs.sendall(b"\x10\x01\x40" + square(20))
        assert square(20) in heard(session)
        assert theirs.recv(323, socket.MSG_WAITALL) == b"\x10\x01\x40" + square(20)
        assert session.played_samples == 160
        session.close()
        with pytest.raises(EngineFull):
            [engine.open_connection("slin") for _ in range(2)]


def test_the_callers_own_descriptor_stays_with_the_caller(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with Engine(capacity=1, threaded=False) as engine:
        session = engine.open_connection("slin16")
        session.link(ours)
        assert resources()["links"] == 1
        session.close()
        assert resources()["links"] == 0
        assert theirs.recv(4096) == b"\0\0\0"
        ours.send(b"still there")
        assert theirs.recv(4096) == b"still there"


def test_the_end_of_a_connection_and_keys_are_events(bench: Bench, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    session = bench.engine.open_connection("slin")
    session.link(ours, keys=True)
    theirs.sendall(b"\x03\x00\x01#")
    bench.pass_frames(2)
    [key] = bench.of_kind(EventKind.DIGIT_PRESSED)
    assert (key.session, chr(key.code), key.value) == (session.handle, "#", 2)
    theirs.close()
    bench.pass_frames(3)
    [gone] = bench.of_kind(EventKind.PEER_GONE)
    assert (gone.session, gone.code) == (session.handle, PeerEnd.CLOSED)


@pytest.mark.parametrize("codec", ["ulaw", "alaw", "slin", "slin16"])
def test_what_is_handed_over_is_heard_and_speech_found_in_it(bench: Bench, codec: str) -> None:
    session = bench.engine.open_connection(codec)
    octets = {"ulaw": 160, "alaw": 160, "slin": 320, "slin16": 640}[codec]
    loud = {"ulaw": b"\x10\x90", "alaw": b"\x35\xb5"}.get(codec, square(10, 16000)[: octets // 2])
    session.feed(bytes(octets), bench.now)  # nobody listens yet
    session.begin()
    for frame in range(50):
        session.feed((loud * octets)[:octets] if frame >= 20 else bytes(octets), bench.now)
        bench.pass_frames()
    assert session.stats().received == 50
    assert session.stats().concealed == session.stats().sent == 0
    assert len(bench.of_kind(EventKind.SPEECH_STARTED)) == 1
    assert session.rate_hz == (16000 if codec == "slin16" else 8000)


def test_hostile_pieces_are_counted(bench: Bench) -> None:
    session = bench.engine.open_connection("slin16")
    session.begin()
    for octets in (b"\1", bytes(32_004), b"", bytes(32_000)):
        session.feed(octets, bench.now)
    bench.pass_frames(10)
    assert session.stats().garbage == 2
    assert session.stats().received == 50


def test_the_position_between_two_beats_is_told(bench: Bench) -> None:
    session = bench.engine.open_connection("slin")
    assert session.position_at(bench.now) == 0
    session.begin()
    started = bench.now
    bench.pass_frames(10)
    assert session.position == 9 * 160
    assert session.position_at(started + 0.195) == 1560
    assert session.position_at(started - 1) == 0


def test_what_makes_no_sense_is_refused(bench: Bench, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    with pytest.raises(RateError, match="slin16"):
        bench.engine.open_connection("g722")
    companded = bench.engine.open_connection("ulaw")
    with pytest.raises(PeerAddressError):
        companded.link(ours)
    with pytest.raises(PeerAddressError):
        companded.connect("127.0.0.1", 4000)
    companded.begin()
    with pytest.raises(PeerAddressError):
        companded.begin()
    over_rtp = bench.engine.open("slin", udp_socket())
    with pytest.raises(PeerAddressError):
        over_rtp.link(ours)
    with pytest.raises(PeerAddressError):
        over_rtp.begin()
    companded.close()
    with pytest.raises(StaleHandle):
        companded.feed(b"", bench.now)
