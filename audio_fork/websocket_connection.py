"""The WebSocket to a media leg of Asterisk: the asyncio side, over aiohttp.

`WebSocketAudio` opens it. Sending never waits: a task writes what was given, in order.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from contextlib import AsyncExitStack
from typing import Protocol

import aiohttp

from audio_fork.errors import BadPeer, NoPeer
from audio_fork.sockets import notice_dead_peer
from audio_fork.websocket_protocol import SUBPROTOCOL, MediaStarted, parse_event

logger = logging.getLogger(__name__)

CONNECT_WITHIN_S = 3.0
MAX_MESSAGE_OCTETS = 65_536
"""Asterisk sends 20 ms at a time, and short texts; longer messages end the connection."""


class MediaReceiver(Protocol):
    """Who is told what comes."""

    def take_text(self, text: str) -> None:
        """Take a control message."""
        ...

    def take_audio(self, payload: bytes) -> None:
        """Take audio."""
        ...

    def fail(self, reason: str) -> None:
        """The connection is over, not by us."""
        ...


class MediaSocket(Protocol):
    """An open connection."""

    def send(self, message: str | bytes) -> None:
        """Send a command, or audio, behind what was sent before; never waits."""
        ...

    def drop_unsent(self) -> None:
        """Drop what has not begun to go out."""
        ...

    async def aclose(self) -> None:
        """Close the connection. May be called twice."""
        ...


class AiohttpMediaSocket:
    """One WebSocket with its session and its two tasks."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session: AsyncExitStack, started: MediaStarted) -> None:
        """Take over an open WebSocket; `open()` is the way to make one."""
        self.started = started
        """What Asterisk said of the media."""
        self._socket = socket
        self._session = session
        self._outgoing: deque[str | bytes] = deque()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, url: str, tls: ssl.SSLContext | None = None) -> AiohttpMediaSocket:
        """Connect, and read the first message.

        tls: for `wss`, None for the system's authorities. Raises NoPeer when nobody takes the connection in time,
        BadPeer when the other side does not speak the protocol.
        """
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S), AsyncExitStack() as stack:
                session = await stack.enter_async_context(aiohttp.ClientSession())
                # No pings: the system finds out about a dead peer, with less work.
                socket = await session.ws_connect(
                    url,
                    protocols=(SUBPROTOCOL,),
                    ssl=tls or True,
                    compress=0,
                    heartbeat=None,
                    max_msg_size=MAX_MESSAGE_OCTETS,
                )
                stack.push_async_callback(socket.close)
                connection = socket.get_extra_info("socket")
                if connection is not None:
                    notice_dead_peer(connection)
                started = _started(await socket.receive())
                return cls(socket, stack.pop_all(), started)
        except aiohttp.WSServerHandshakeError as err:
            # Not chained: the exception carries the address, whose last part is a secret.
            raise NoPeer(f"Asterisk refused the media WebSocket (HTTP {err.status})") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as err:
            raise NoPeer(f"no media WebSocket to Asterisk ({type(err).__name__})") from None

    def start(self, receiver: MediaReceiver) -> None:
        """Begin to receive and to send."""
        reader = asyncio.create_task(self._read(receiver), name="media websocket reader")
        reader.add_done_callback(lambda task: _reading_ended(task, receiver))
        self._tasks = [reader, asyncio.create_task(self._write(), name="media websocket writer")]

    def send(self, message: str | bytes) -> None:
        """Send a command, or audio, behind what was sent before; never waits."""
        self._outgoing.append(message)
        self._news.set()

    def drop_unsent(self) -> None:
        """Drop what has not begun to go out."""
        self._outgoing.clear()

    async def aclose(self) -> None:
        """Close the connection. May be called twice."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._session.aclose()

    async def _read(self, receiver: MediaReceiver) -> None:
        """Hand on what comes until the connection is over."""
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                receiver.take_audio(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                receiver.take_text(message.data)

    async def _write(self) -> None:
        """Write until the connection is over: then the reader tells."""
        while not self._socket.closed:
            await self._news.wait()
            self._news.clear()
            while self._outgoing:
                message = self._outgoing.popleft()
                try:
                    if isinstance(message, str):
                        await self._socket.send_str(message)
                    else:
                        await self._socket.send_bytes(message)
                except (aiohttp.ClientError, ConnectionError):
                    return


def _reading_ended(reader: asyncio.Task[None], receiver: MediaReceiver) -> None:
    """Tell that the connection is over; a fault of ours ends it like one of the PBX's."""
    if reader.cancelled():
        return
    failure = reader.exception()
    if failure is not None:
        logger.error("a call's audio failed and is given up", exc_info=failure)
    receiver.fail("the PBX closed the connection" if failure is None else "internal error")


def _started(message: aiohttp.WSMessage) -> MediaStarted:
    """Return what the first message says. Raises BadPeer."""
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise BadPeer("the media WebSocket does not begin with MEDIA_START")
    if message.data.startswith("MEDIA_START"):
        raise BadPeer("this Asterisk has no JSON on media WebSockets: 20.18, 22.8 or 23.2 is needed")
    event = parse_event(message.data)
    if not isinstance(event, MediaStarted):
        raise BadPeer("the media WebSocket does not begin with MEDIA_START")
    return event
