"""Sockets: UDP ports for RTP out of a configured range; TCP connections that notice a dead peer."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
import termios

from audio_fork.errors import NoFreePort, NotOurAddress

Address = tuple[str, int]

_INT = struct.Struct("@i")
DEAD_AFTER_S = 6
"""A TCP peer that has not answered for so long is gone."""


def bind_udp(host: str, ports: range | None) -> socket.socket:
    """Bind the first free UDP port of a range, or any port when there is no range; it never waits.

    Raises NoFreePort, NotOurAddress.
    """
    reason = "the range is empty"
    for port in (0,) if ports is None else ports:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((host, port))
        except OSError as err:
            sock.close()
            reason = err.strerror or str(err)
            if err.errno == errno.EADDRNOTAVAIL:
                raise not_our_address(host) from err
            if err.errno not in (errno.EADDRINUSE, errno.EACCES):
                break
        else:
            return sock
    raise NoFreePort(_no_port_message(host, ports, reason))


def not_our_address(host: str) -> NotOurAddress:
    """Return the error for an address that the system does not know as its own."""
    return NotOurAddress(
        f"{host} is not an address of this machine: correct media.host. One that comes up late (a VPN's, say) must be "
        "there before Parley starts"
    )


def _no_port_message(host: str, ports: range | None, reason: str) -> str:
    if ports is None:
        return f"cannot open a UDP port on {host} ({reason}); choose an address of this machine"
    span = f"{ports.start}-{ports.stop - 1}"
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
