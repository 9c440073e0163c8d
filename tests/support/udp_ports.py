"""UDP ports that are taken, and others that are not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def port_before_a_taken_one() -> Iterator[int]:
    """Find a free UDP port of the loopback interface and hold the one after it."""
    with ExitStack() as sockets:
        while True:
            first, second = (sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            first.close()
            yield port
            return
