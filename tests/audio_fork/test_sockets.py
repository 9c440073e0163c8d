from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from audio_fork.errors import NoFreePort, NotOurAddress
from audio_fork.sockets import bind_udp, notice_dead_peer, unacknowledged_octets
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
    sock = bind_udp("127.0.0.1", None)
    assert sock.getsockname()[0] == "127.0.0.1"
    assert sock.getsockname()[1] > 0
    assert not sock.getblocking()
    sock.close()


def test_a_taken_port_is_passed_over(taken: int) -> None:
    sock = bind_udp("127.0.0.1", range(taken, min(taken + 50, 65536)))
    assert sock.getsockname()[1] > taken
    sock.close()


def test_a_range_that_is_taken_names_itself_and_what_to_do(taken: int) -> None:
    with pytest.raises(NoFreePort, match=rf"{taken}-{taken}.*widen the range") as caught:
        bind_udp("127.0.0.1", range(taken, taken + 1))
    assert isinstance(caught.value, MediaError)
    assert caught.value.retryable


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(NoFreePort, match="empty"):
        bind_udp("127.0.0.1", range(20000, 20000))


def test_an_address_of_another_machine_is_refused_at_once() -> None:
    with pytest.raises(
        NotOurAddress, match=r"192\.0\.2\.77 is not an address of this machine: correct media\.host"
    ) as caught:
        bind_udp("192.0.2.77", range(20000, 65535))
    assert not caught.value.retryable, "no supervisor gets it by trying again"
    with pytest.raises(NotOurAddress, match="an address of this machine"):
        bind_udp("192.0.2.77", None)


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
