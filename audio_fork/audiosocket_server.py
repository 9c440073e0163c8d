"""The TCP port to which the PBX connects with a call's audio (AudioSocket).

A node runs one. Only ids that `expect()` has issued are let in, each once and within seconds; everybody else is
refused, counted and logged without flooding. A connection that has shown its id is the media engine's from then on.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from audio_fork.audiosocket_audio import AudioSocketAudio
from audio_fork.audiosocket_protocol import HANG_UP, IdMessage
from audio_fork.errors import BadPeer, NoFreePort, NotConnectable
from audio_fork.media_engine import MediaEngine
from audio_fork.refusals import Refusals
from audio_fork.sockets import Address, not_our_address, notice_dead_peer

logger = logging.getLogger(__name__)

CONNECT_WITHIN_S = 5.0
"""How long an id waits for its connection."""
IDENTIFY_WITHIN_S = 2.0
"""For the first message of a connection, all of it."""
HANG_UP_WITHIN_S = 2.0
"""For the PBX to close the connection after we have hung up."""
IGNORED_OCTETS = 4096
"""Read at once of what does not count any more."""
BACKLOG = 100
"""Connections that the system keeps for us."""
MAX_UNIDENTIFIED = 256
"""Connections that have not shown an id; for one more the oldest is cut. More than two full backlogs, which is what
asyncio accepts behind the PBX before it reads what the PBX has sent. uvloop, on which nodes run, needs no such room: it
accepts one connection in each round, and reads the PBX's id before it accepts the next."""


class AudioSocketServer:
    """Listens for AudioSocket connections; close with `aclose()`."""

    def __init__(self, engines: Sequence[MediaEngine], *, on_refused: Callable[[str], None] | None = None) -> None:
        """Prepare; `listen()` opens the port.

        engines: carry the media, each call on the one with the fewest. on_refused: told each reason.
        """
        self.engines = engines
        """They carry the media."""
        self._refusals = Refusals("connection to the AudioSocket port refused", on_refused)
        self._expected: dict[str, tuple[AudioSocketAudio, asyncio.TimerHandle]] = {}
        self._connections: set[_Connection] = set()
        self._unidentified: dict[_Connection, None] = {}
        """Oldest first."""
        self._server: asyncio.Server | None = None
        self._address: Address = ("", 0)

    async def listen(self, host: str, port: int) -> None:
        """Open the port (0: any). Raises NoFreePort, NotOurAddress."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), host, port, backlog=BACKLOG)
        except OSError as err:
            if err.errno == errno.EADDRNOTAVAIL:
                raise not_our_address(host) from err
            raise NoFreePort(
                f"the AudioSocket port {host}:{port} cannot be opened ({err.strerror or err}): is another node "
                "running here? Choose another media.audiosocket_port"
            ) from err
        self._address = self._server.sockets[0].getsockname()[:2]

    @property
    def address(self) -> Address:
        """Where the PBX shall connect to."""
        return self._address

    @property
    def refused(self) -> Mapping[str, int]:
        """Connections refused so far, by reason."""
        return self._refusals.by_reason

    @property
    def connections(self) -> int:
        """Connections that are open, of strangers and of calls."""
        return len(self._connections)

    @property
    def unidentified(self) -> int:
        """Connections that have not shown an id yet."""
        return len(self._unidentified)

    def expect(
        self, codec: str = "slin", *, within_s: float = CONNECT_WITHIN_S, digits: bool = False
    ) -> AudioSocketAudio:
        """Issue an id, valid once and for `within_s`, and return the audio that begins when the PBX shows it.

        codec: `slin` or `slin16`. digits: report keys in the media, for calls whose PBX does not report them by events.
        Raises UnknownCodec, TooManyCalls.
        """
        connection_id = str(uuid.uuid4())
        engine = min(self.engines, key=lambda engine: engine.calls)
        audio = AudioSocketAudio(engine, codec, connection_id, digits=digits, withdraw=self._withdraw)
        timer = asyncio.get_running_loop().call_later(within_s, self._give_up, connection_id)
        self._expected[connection_id] = (audio, timer)
        return audio

    async def aclose(self) -> None:
        """Close the port and every connection. May be called twice."""
        for connection_id in list(self._expected):
            self._give_up(connection_id)
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in list(self._connections):
            connection.abort()
        if server is not None:
            await server.wait_closed()

    # --- what connections do --------------------------------------------------------------------------------

    def admit(self, connection: _Connection) -> None:
        """Note a new connection; when there are too many without an id, the oldest has to go.

        A PBX shows its id at once. So strangers who only wait cannot lock callers out.
        """
        self._connections.add(connection)
        self._unidentified[connection] = None
        if len(self._unidentified) > MAX_UNIDENTIFIED:
            next(iter(self._unidentified)).refuse("too_many")

    def settle(self, connection: _Connection) -> None:
        """Note that a connection is no longer waited for: it has shown its id, or it is refused."""
        self._unidentified.pop(connection, None)

    def identify(self, connection_id: str) -> AudioSocketAudio | None:
        """Return the audio that waits for this id, and let nobody else have it; None for an id that is not valid."""
        audio, timer = self._expected.pop(connection_id, (None, None))
        if timer is not None:
            timer.cancel()
        return audio

    def refuse(self, reason: str, address: str) -> None:
        """Count a connection that is refused."""
        self._refusals.add(reason, address)

    def forget(self, connection: _Connection) -> None:
        """Strike out a connection that is closed."""
        self._connections.discard(connection)
        self.settle(connection)

    # --- inside ---------------------------------------------------------------------------------------------

    def _withdraw(self, connection_id: str) -> None:
        self.identify(connection_id)

    def _give_up(self, connection_id: str) -> None:
        audio = self.identify(connection_id)
        if audio is not None:
            audio.give_up()


class _Connection(asyncio.BufferedProtocol):
    """One TCP connection: a stranger until it shows a valid id, then a call's `Link`.

    Not an octet behind the id is read here: the media engine reads on where the id ends, on a descriptor of its own.
    """

    def __init__(self, server: AudioSocketServer) -> None:
        self._server = server
        self._id = IdMessage()
        self._transport: asyncio.Transport | None = None
        self._audio: AudioSocketAudio | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._over = False
        """Nothing that comes counts any more: refused, or hung up."""

    # --- a call's link --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let the PBX close the connection. May be called twice.

        A connection that is cut instead ends the caller's call where it was the dialplan's AudioSocket().
        """
        if self._transport is None or self._over:
            return
        self._over = True
        self._wait(HANG_UP_WITHIN_S, self.abort)
        self._transport.resume_reading()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    # --- what the server does -------------------------------------------------------------------------------

    def refuse(self, reason: str) -> None:
        """Cut off a stranger."""
        self._over = True
        self._stop_waiting()
        self._server.settle(self)
        self._server.refuse(reason, self._stranger)
        self.abort()

    # --- what the transport does ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the id."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.admit(self)
        notice_dead_peer(self._socket)
        self._wait(IDENTIFY_WITHIN_S, lambda: self.refuse("no_id"))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return room for what comes: for the rest of the id, or for what does not count any more."""
        return memoryview(bytearray(IGNORED_OCTETS)) if self._over else self._id.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came."""
        if self._over:
            return
        try:
            connection_id = self._id.came(nbytes)
        except BadPeer:
            self.refuse("no_audiosocket")
            return
        if connection_id is not None:
            self._identify(connection_id)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by whomever."""
        self._stop_waiting()
        self._server.forget(self)
        if self._audio is None and not self._over:
            self._server.refuse("closed", self._stranger)
        self._over = True
        if self._audio is not None:
            self._audio.fail("the PBX closed the connection")

    # --- inside ---------------------------------------------------------------------------------------------

    def _identify(self, connection_id: str) -> None:
        audio = self._server.identify(connection_id)
        if audio is None:
            self.refuse("unknown_id")
            return
        self._stop_waiting()
        self._server.settle(self)
        if self._transport is None:
            return
        self._transport.pause_reading()
        try:
            audio.begin(self, self._socket)
        except NotConnectable as err:
            logger.error("a caller's AudioSocket connection cannot be taken up", extra={"reason": str(err)})
            self._server.refuse("not_taken", self._stranger)
            audio.fail("the PBX's connection could not be taken up")
            self._transport.write(HANG_UP)
            self.close()
        else:
            self._audio = audio

    def _wait(self, delay_s: float, then: Callable[[], None]) -> None:
        self._stop_waiting()
        self._deadline = asyncio.get_running_loop().call_later(delay_s, then)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    @property
    def _socket(self) -> socket.socket:
        return cast(socket.socket, self._transport.get_extra_info("socket")) if self._transport else socket.socket()

    @property
    def _stranger(self) -> str:
        name = None if self._transport is None else self._transport.get_extra_info("peername")
        return str(name[0]) if name else ""
