"""Asterisk's ARI in this process: enough of it to try what a real one cannot be brought to do on demand."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.test_utils import TestServer

USERNAME, PASSWORD = "parley", "correct-horse-battery"
_MEDIA_PORT = "25252"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the adapter made."""

    method: str
    path: str
    """Decoded, below /ari."""
    raw_path: str
    """As it came, with the query."""
    body: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(slots=True)
class AriServer:
    """Answers everything with success unless told otherwise, and remembers it."""

    version: str = "22.9.0"
    """The last of 22 that sets variables one by one."""
    url: str = ""
    password: str = PASSWORD
    """What is let in; a reload may change it under open connections."""
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)
    bridges: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    """Answers to GET variable, by name."""
    media_enters_stasis: bool = True
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    _replies: list[tuple[re.Pattern[str], int, Any]] = field(default_factory=list)
    _replies_once: list[tuple[re.Pattern[str], int, Any]] = field(default_factory=list)
    _stalls: list[tuple[re.Pattern[str], asyncio.Event]] = field(default_factory=list)

    def reply(self, pattern: str, status: int, answer: Any = None) -> None:
        """Answer requests that match `METHOD /path` with this status, from now on."""
        self._replies.insert(0, (re.compile(pattern), status, answer))

    def reply_once(self, pattern: str, status: int, answer: Any = None) -> None:
        """Answer the next request that matches with this status; several are used up in the order of the calls."""
        self._replies_once.append((re.compile(pattern), status, answer))

    def stall(self, pattern: str) -> asyncio.Event:
        """Let matching requests wait until the event is set."""
        go_on = asyncio.Event()
        self._stalls.append((re.compile(pattern), go_on))
        return go_on

    def asked(self, pattern: str) -> list[Request]:
        """Return the requests that match `METHOD /path`."""
        return [request for request in self.requests if re.fullmatch(pattern, str(request))]

    async def send(self, *messages: Any) -> None:
        """Send events on the newest WebSocket; text goes as it is."""
        for message in messages:
            if isinstance(message, str):
                await self.sockets[-1].send_str(message)
            else:
                await self.sockets[-1].send_json(message)

    async def offer(self, channel_id: str, *arguments: str, state: str = "Ring") -> None:
        """Hand a channel to the application."""
        self.channels[channel_id] = channel(channel_id, state)
        self.subscribed.add(channel_id)
        await self.send({"type": "StasisStart", "args": arguments, "channel": self.channels[channel_id]})

    async def hang_up(self, channel_id: str, cause: int = 16) -> None:
        """End a channel from the party's side."""
        ended = self.channels.pop(channel_id)
        await self.send(
            {"type": "ChannelHangupRequest", "cause": cause, "channel": ended},
            {"type": "StasisEnd", "channel": ended},
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        expected = base64.b64encode(f"{USERNAME}:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.json_response({"message": "Authentication required"}, status=401)
        path = request.path.removeprefix("/ari")
        if path == "/events":
            return await self._events(request)
        body = await request.json() if request.can_read_body else {}
        return await self.respond(request, Request(request.method, path, request.raw_path, body))

    async def respond(self, request: web.Request, asked: Request) -> web.StreamResponse:
        """Answer a request that was let in."""
        self.requests.append(asked)
        for pattern, go_on in self._stalls:
            if pattern.fullmatch(str(asked)):
                await go_on.wait()
        for reply in self._replies_once:
            if reply[0].fullmatch(str(asked)):
                self._replies_once.remove(reply)
                return _response(*reply[1:])
        for pattern, status, answer in self._replies:
            if pattern.fullmatch(str(asked)):
                return _response(status, answer)
        status, answer = await self._default(asked)
        return _response(status, answer)

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def _default(self, asked: Request) -> tuple[int, Any]:
        parts = asked.path.strip("/").split("/")
        answer: Any = None
        match asked.method, parts:
            case "GET", ["asterisk", "info"]:
                answer = {"system": {"version": self.version}}
            case "GET", ["applications", name]:
                answer = {"name": name, "channel_ids": sorted(self.subscribed)}
            case "GET", ["channels"]:
                answer = list(self.channels.values())
            case "GET", ["bridges"]:
                answer = self.bridges
            case "GET", ["channels", _, "variable"]:
                return self._variable(asked)
            case "POST", ["channels", "externalMedia"]:
                answer = await self._external_media(asked.body)
            case "POST", ["channels", made]:
                answer = channel(made, "Down")
            case "POST", ["bridges", made]:
                answer = {"id": made}
        return (204, None) if answer is None else (200, answer)

    def _variable(self, asked: Request) -> tuple[int, Any]:
        name = unquote(asked.raw_path.partition("variable=")[2])
        if name not in self.variables:
            return 404, {"message": "Provided variable was not found"}
        return 200, {"value": self.variables[name]}

    async def _external_media(self, body: Mapping[str, Any]) -> dict[str, Any]:
        made = channel(body["channelId"], "Down")
        if self.media_enters_stasis:
            await self.send({"type": "StasisStart", "args": [], "channel": made})
        if body.get("transport") == "websocket":
            return {**made, "channelvars": {"MEDIA_WEBSOCKET_CONNECTION_ID": "media-id"}}
        local = {"UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": _MEDIA_PORT}
        return {**made, "channelvars": local}


def channel(channel_id: str, state: str = "Ring", app_data: str = "parley", app_name: str = "Stasis") -> dict[str, Any]:
    """Return a channel as ARI describes it."""
    return {
        "id": channel_id,
        "name": f"PJSIP/caller-{channel_id}",
        "state": state,
        "caller": {"name": "", "number": "15550100"},
        "dialplan": {"context": "from-trunk", "exten": "100", "app_name": app_name, "app_data": app_data},
        "channelvars": {},
    }


@asynccontextmanager
async def ari_server() -> AsyncIterator[AriServer]:
    """Serve ARI on loopback."""
    ari = AriServer()
    async with serve(ari):
        yield ari


@asynccontextmanager
async def serve(ari: AriServer) -> AsyncIterator[None]:
    """Listen on loopback while the block runs."""
    application = web.Application()
    application.router.add_route("*", "/ari/{path:.*}", ari.handle)
    async with TestServer(application) as server:
        ari.url = str(server.make_url("/ari"))
        try:
            yield
        finally:
            for socket in ari.sockets:
                await socket.close()


def _response(status: int, answer: Any) -> web.Response:
    if isinstance(answer, str):
        return web.Response(status=status, text=answer, content_type="text/html")
    return web.Response(status=status) if answer is None else web.json_response(answer, status=status)
