from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from audio_fork.errors import NoFreePort
from audio_fork.sockets import RtpSocket, notice_dead_peer, unacknowledged_octets
from media_core.errors import MediaError


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(1)
        yield sock


@pytest.fixture
def taken(peer: socket.socket) -> int:
    """A port that somebody else has; the next one is free in all likelihood."""
    port: int = peer.getsockname()[1]
    return port


def test_without_a_range_any_free_port_is_taken() -> None:
    sock = RtpSocket.bind("127.0.0.1", None)
    assert sock.local_address[0] == "127.0.0.1"
    assert sock.local_address[1] > 0
    sock.close()
    sock.close()


def test_a_taken_port_is_passed_over(taken: int) -> None:
    sock = RtpSocket.bind("127.0.0.1", range(taken, min(taken + 50, 65536)))
    assert sock.local_address[1] > taken
    sock.close()


def test_a_range_that_is_taken_names_itself_and_what_to_do(taken: int) -> None:
    with pytest.raises(NoFreePort, match=rf"{taken}-{taken}.*widen the range") as caught:
        RtpSocket.bind("127.0.0.1", range(taken, taken + 1))
    assert isinstance(caught.value, MediaError)
    assert caught.value.retryable


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(NoFreePort, match="empty"):
        RtpSocket.bind("127.0.0.1", range(20000, 20000))


def test_an_address_of_another_machine_is_refused_at_once() -> None:
    with pytest.raises(NoFreePort, match=r"192\.0\.2\.77"):
        RtpSocket.bind("192.0.2.77", range(20000, 65535))
    with pytest.raises(NoFreePort, match="an address of this machine"):
        RtpSocket.bind("192.0.2.77", None)


def test_datagrams_go_both_ways_and_say_where_they_are_from(peer: socket.socket) -> None:
    sock = RtpSocket.bind("127.0.0.1", None)
    assert sock.receive() is None
    peer.sendto(b"to us", sock.local_address)
    datagram = sock.receive()
    assert datagram is not None
    assert (datagram.octets, datagram.sender) == (b"to us", peer.getsockname())
    assert 0 <= datagram.age_s <= 1
    assert sock.send(b"to the peer", peer.getsockname())
    assert peer.recv(100) == b"to the peer"
    sock.close()


def test_an_address_that_cannot_be_sent_to_is_reported_not_raised() -> None:
    sock = RtpSocket.bind("127.0.0.1", None)
    assert not sock.send(b"x", ("192.0.2.1", 9))  # a loopback socket has no way out
    sock.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a datagram came")
def test_a_datagram_that_waited_says_for_how_long(peer: socket.socket) -> None:
    sock = RtpSocket.bind("127.0.0.1", None)
    ages = []
    for _ in range(50):  # the kernel begins to note times some moments after it was asked to
        peer.sendto(b"to us", sock.local_address)
        time.sleep(0.01)
        datagram = sock.receive()
        assert datagram is not None
        ages.append(datagram.age_s)
        if ages[-1] >= 0.01:
            break
    sock.close()
    assert 0.01 <= ages[-1] < 1


def test_a_tcp_connection_notices_a_dead_peer_and_tells_what_is_on_its_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        notice_dead_peer(ours)
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        ours.setblocking(False)
        assert unacknowledged_octets(ours) == 0
        with suppress(BlockingIOError):
            while True:
                ours.send(bytes(65536))
        assert unacknowledged_octets(ours) > 65536
        ours.close()
        theirs.close()
        assert unacknowledged_octets(ours) == 0
