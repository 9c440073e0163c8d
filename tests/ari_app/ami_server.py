"""An AMI server in this process: enough of it to try what a real one cannot be brought to do on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.contract.benches import until

USERNAME, SECRET = "parley", "correct-horse-battery"
BANNER = b"Asterisk Call Manager/11.0.0\r\n"


@dataclass(slots=True)
class AmiServer:
    """Answers every action with success unless told otherwise, and remembers its lines."""

    port: int = 0
    banner: bytes = BANNER
    actions: list[list[str]] = field(default_factory=list)
    """Every action that came, as its lines, over all connections."""
    connections: int = 0
    """How many there have been."""
    silent: bool = False
    """Reads, and says nothing: a peer that has died without a word."""
    _answers: dict[str, str | None] = field(default_factory=dict)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    def answer(self, action: str, *messages: str) -> None:
        """Answer this action so from now on; lines end with \\n, `{id}` is the ActionID."""
        self._answers[action] = "".join(f"{message.strip()}\n\n" for message in messages).replace("\n", "\r\n")

    def never_answer(self, action: str) -> None:
        """Leave this action without an answer from now on."""
        self._answers[action] = None

    def asked(self, action: str) -> list[list[str]]:
        """Return the actions of this name that came."""
        return [lines for lines in self.actions if f"Action: {action}" in lines]

    async def was_asked(self, action: str, count: int = 1) -> bool:
        """Wait until this action has come so many times."""

        async def now() -> bool:
            return len(self.asked(action)) >= count

        return await until(now)

    def send(self, octets: bytes) -> None:
        """Send octets on the newest connection, in a segment of their own."""
        self._writers[-1].write(octets)

    def event(self, name: str, **headers: str) -> None:
        """Send an event on the newest connection."""
        lines = [f"Event: {name}", *(f"{key}: {value}" for key, value in headers.items())]
        self.send("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")

    def drop(self) -> None:
        """Break every connection off."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def listen(self) -> None:
        """Listen, at the same port as before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and break every connection off."""
        if self._server is not None:
            self._server.close()
            self.drop()
            if self._serving:
                await asyncio.wait(self._serving)
            self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        writer.write(self.banner)
        try:
            while True:
                block = (await reader.readuntil(b"\r\n\r\n")).decode()
                # Empty lines would be the end of an action, and each further one the end of another.
                lines = block.removesuffix("\r\n\r\n").split("\r\n")
                self.actions.append(lines)
                if not self.silent:
                    writer.write(self._answer_to(lines).encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer_to(self, lines: list[str]) -> str:
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        name, identity = headers["Action"], headers.get("ActionID", "")
        prepared = self._answers.get(name, "")
        if prepared is None:
            return ""
        if prepared:
            return prepared.replace("{id}", identity)
        known = headers.get("Username") == USERNAME and headers.get("Secret") == SECRET
        success = name != "Login" or known
        told = "Response: Success" if success else "Response: Error\r\nMessage: Authentication failed"
        return f"{told}\r\nActionID: {identity}\r\n\r\n"


@asynccontextmanager
async def ami_server() -> AsyncIterator[AmiServer]:
    """Serve AMI on loopback."""
    ami = AmiServer()
    await ami.listen()
    try:
        yield ami
    finally:
        await ami.stop()
