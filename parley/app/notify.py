"""Tell whoever started this process that it lives, and when it is ready, as sd_notify(3) describes it.

Node and worker tell `parley supervise`, or systemd where that starts them with `Type=notify`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

READY = "READY=1"
BEAT = "WATCHDOG=1"
BEAT_S = 0.2
"""Between two heartbeats. They come from the event loop: a process that hangs sends none."""
_VARIABLE = "NOTIFY_SOCKET"


class Notifier:
    """The way to the starter's socket; without one, nothing is told."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Take the socket's name out of the environment: children of this process are not to speak for it."""
        address = environment.pop(_VARIABLE, "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.ready = False
        """Told with each heartbeat, as one that nobody reads in time is lost."""

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Send heartbeats while the block runs."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            beats = asyncio.create_task(self._beat(sock), name="heartbeats")
            try:
                yield
            finally:
                beats.cancel()
                await asyncio.wait([beats])

    async def _beat(self, sock: socket.socket) -> NoReturn:
        while True:
            if self._address:
                text = f"{BEAT}\n{READY}" if self.ready else BEAT
                # A starter that is gone, or does not read, is no error of ours.
                with suppress(OSError):
                    sock.sendto(text.encode(), self._address)
            await asyncio.sleep(BEAT_S)
