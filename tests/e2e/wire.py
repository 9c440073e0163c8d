"""A TCP connection through this process, which can be cut and mended."""

from __future__ import annotations

import asyncio


class Wire:
    """A connection to AMI that can be cut."""

    def __init__(self, port: int) -> None:
        """port: what it leads to."""
        self._far = port
        self._near = 0
        self._ends: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Return the port at which it is reached: the same again after a cut."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._near)
        self._near = int(self._server.sockets[0].getsockname()[1])
        return self._near

    def cut(self) -> None:
        """Break it, and let nobody connect any more."""
        if self._server is not None:
            self._server.close()
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far)
        self._ends += [writer, far_writer]
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while octets := await reader.read(4096):
            writer.write(octets)
    except ConnectionError:
        writer.transport.abort()
