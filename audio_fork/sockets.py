"""Sockets: a UDP port for each RTP call out of a configured range; TCP connections that notice a dead peer."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
import sys
import termios
import time
from typing import NamedTuple, Protocol

from audio_fork.errors import NoFreePort

Address = tuple[str, int]

RECEIVE_BUFFER_OCTETS = 262_144
"""Holds the packets of more than a second, so that a stalled event loop loses nothing."""
MAX_DATAGRAM_OCTETS = 2048
SO_TIMESTAMPNS = 35 if sys.platform == "linux" else None
"""Linux: let the kernel note when each datagram came (socket(7)); the socket module does not name it."""
_TIMESPEC = struct.Struct("@ll")
_INT = struct.Struct("@i")
MAX_AGE_S = 1.0
"""Wall time may be set while a datagram waits; an age beyond this is not believed."""
DEAD_AFTER_S = 6
"""A TCP peer that has not answered for so long is gone."""


class Datagram(NamedTuple):
    """One datagram received."""

    octets: bytes
    sender: Address
    age_s: float
    """How long ago it reached this machine; 0 where the system does not tell."""


class Transport(Protocol):
    """Datagrams of one call, without waiting."""

    @property
    def local_address(self) -> Address:
        """Where the peer sends to."""
        ...

    def receive(self) -> Datagram | None:
        """Return the next waiting datagram, None when there is none."""
        ...

    def send(self, packet: bytes, peer: Address) -> bool:
        """Send one datagram; False when the system did not take it."""
        ...

    def close(self) -> None:
        """Give the port back. May be called twice."""
        ...


class RtpSocket:
    """A non-blocking UDP socket bound to one local port; whoever opens it closes it."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over a bound, non-blocking socket."""
        self._sock = sock
        host, port = sock.getsockname()[:2]
        self._local_address: Address = (host, port)

    @classmethod
    def bind(cls, host: str, port_range: range | None) -> RtpSocket:
        """Bind the first free port of the range, or any port when there is no range. Raises NoFreePort."""
        reason = "the range is empty"
        for port in (0,) if port_range is None else port_range:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            try:
                _prepare(sock)
                sock.bind((host, port))
            except OSError as err:
                sock.close()
                reason = err.strerror or str(err)
                if err.errno not in (errno.EADDRINUSE, errno.EACCES):
                    break
            else:
                return cls(sock)
        raise NoFreePort(_no_port_message(host, port_range, reason))

    @property
    def local_address(self) -> Address:
        """Where the peer sends to."""
        return self._local_address

    def receive(self) -> Datagram | None:
        """Return the next waiting datagram, None when there is none."""
        try:
            octets, ancillary, _, sender = self._sock.recvmsg(MAX_DATAGRAM_OCTETS, 64)
        except OSError:  # nothing waits, or the ICMP answer to something sent, on which RTP does not act
            return None
        return Datagram(octets, (sender[0], sender[1]), _age_s(ancillary))

    def send(self, packet: bytes, peer: Address) -> bool:
        """Send one datagram; False when the kernel did not take it."""
        try:
            self._sock.sendto(packet, peer)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the port back. May be called twice."""
        self._sock.close()


def _prepare(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
    if SO_TIMESTAMPNS is not None:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def _age_s(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(content) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(content)
            age_s = float(time.time() - seconds - nanoseconds * 1e-9)
            return age_s if 0 <= age_s <= MAX_AGE_S else 0.0
    return 0.0


def _no_port_message(host: str, port_range: range | None, reason: str) -> str:
    if port_range is None:
        return f"cannot open a UDP port on {host} ({reason}); choose an address of this machine"
    span = f"{port_range.start}-{port_range.stop - 1}"
    return (
        f"no UDP port for RTP is free on {host} in {span} ({reason}); "
        "widen the range, check the address, or allow fewer calls at once"
    )


def unacknowledged_octets(sock: socket.socket) -> int:
    """Return how much of what was sent over a TCP connection has not reached the peer; 0 where nobody can tell."""
    if sock.fileno() < 0:
        return 0
    count = bytearray(_INT.size)
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, count)
    except OSError:
        return 0
    return int(_INT.unpack(count)[0])


def notice_dead_peer(sock: socket.socket) -> None:
    """Let the system end a TCP connection whose other end has not answered for about DEAD_AFTER_S."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", DEAD_AFTER_S // 2),
        ("TCP_KEEPINTVL", 1),
        ("TCP_KEEPCNT", DEAD_AFTER_S // 2),
        ("TCP_USER_TIMEOUT", DEAD_AFTER_S * 1000),
    ):
        option = getattr(socket, name, None)  # not every system has them all
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
