"""An Asterisk in small: the ARI server of this process with a memory for what it was asked to make, end and send on.

Any request can be made to fail in any way, and the caller can be made to go at any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.ari_app.ari_server import AriServer, Request, serve

Matches = Callable[[Request], bool]
TIMER = "TIMEOUT(absolute)"


@dataclass(frozen=True, slots=True)
class Fault:
    """How a request fails."""

    status: int = 0
    """Answer with this; 0 when there is no answer."""
    resets: bool = False
    """Without an answer: close the connection instead of keeping silent."""
    carried_out: bool = False
    """Without an answer: do what was asked all the same."""

    @property
    def is_silence(self) -> bool:
        """Whether no answer ever comes, and nothing tells so."""
        return not self.status and not self.resets

    def __str__(self) -> str:
        kind = str(self.status) if self.status else "reset" if self.resets else "silence"
        return kind + ("-carried-out" if self.carried_out else "")


@dataclass(slots=True)
class SmallPbx(AriServer):
    """See the module's docstring."""

    media: set[str] = field(default_factory=set)
    """Media legs that exist."""
    rooms: set[str] = field(default_factory=set)
    """Bridges that exist."""
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    """Variables by channel."""
    went_on: set[str] = field(default_factory=set)
    """Channels that we sent on in the dialplan."""
    fell_back: set[str] = field(default_factory=set)
    """Channels that their timer took to extension T."""
    hung_up: set[str] = field(default_factory=set)
    _faults: list[tuple[Matches, Fault, int]] = field(default_factory=list)
    _before: list[tuple[Matches, Callable[[], Awaitable[None]], bool]] = field(default_factory=list)
    _timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, matches: Matches, fault: Fault, times: int = 1000) -> None:
        """Let matching requests fail."""
        self._faults.append((matches, fault, times))

    def at(self, matches: Matches, happens: Callable[[], Awaitable[None]], *, answer_first: bool) -> None:
        """Let something happen when the first matching request comes, before or after it is answered."""
        self._before.append((matches, happens, answer_first))

    async def caller_hangs_up(self, channel_id: str) -> None:
        """End a channel from the party's side, as Asterisk tells it."""
        if channel_id in self.channels:
            self.subscribed.discard(channel_id)
            await self.hang_up(channel_id)

    async def operator_takes(self, channel_id: str) -> None:
        """Send a channel elsewhere behind our back."""
        await self._leave(channel_id)

    async def respond(self, request: web.Request, asked: Request) -> web.StreamResponse:
        """Answer a request, or fail it."""
        for step in [step for step in self._before if step[0](asked)]:
            self._before.remove(step)
            if step[2]:
                self._soon(step[1]())
            else:
                await step[1]()
        for number, (matches, fault, times) in enumerate(self._faults):
            if times and matches(asked):
                self._faults[number] = (matches, fault, times - 1)
                return await self._fail(request, asked, fault)
        return await AriServer.respond(self, request, asked)

    async def _fail(self, request: web.Request, asked: Request, fault: Fault) -> web.StreamResponse:
        self.requests.append(asked)
        if fault.status:
            return web.json_response({"message": "no"}, status=fault.status)
        if fault.carried_out:
            await self._default(asked)
        if fault.resets and request.transport is not None:
            request.transport.abort()
        else:
            await self.closing.wait()
        return web.Response(status=500)

    async def _default(self, asked: Request) -> tuple[int, Any]:
        parts = asked.path.strip("/").split("/")
        match asked.method, parts:
            case "POST", ["channels", "externalMedia"]:
                self.media.add(asked.body["channelId"])
            case "POST", ["bridges", made]:
                self.rooms.add(made)
            case "DELETE", ["bridges", ended]:
                self.rooms.discard(ended)
            case "POST", ["bridges", room, "addChannel"]:
                return self._seat(room, asked.body["channel"])
            case "DELETE", ["channels", ended] if ended in self.media:
                self.media.discard(ended)
            case _, ["channels", channel_id, *rest]:
                if channel_id not in self.subscribed and channel_id not in self.media:
                    known = channel_id in self.channels
                    return (409, {"message": "Channel not in Stasis application"}) if known else (404, {"message": "-"})
                await self._command(asked, channel_id, rest)
        return await AriServer._default(self, asked)

    def _seat(self, room: str, channel_id: str) -> tuple[int, Any]:
        if room not in self.rooms:
            return 404, {"message": "Bridge not found"}
        if channel_id in self.subscribed or channel_id in self.media:
            return 204, None
        return (422 if channel_id in self.channels else 400), {"message": "Channel not in Stasis application"}

    async def _command(self, asked: Request, channel_id: str, rest: list[str]) -> None:
        match asked.method, rest:
            case "POST", ["answer"]:
                self.channels[channel_id]["state"] = "Up"
                await self.send({"type": "ChannelStateChange", "channel": self.channels[channel_id]})
            case "POST", ["variable"]:
                self._set(channel_id, asked.body["variable"], asked.body["value"])
            case "POST", ["continue"]:
                self.went_on.add(channel_id)
                await self._leave(channel_id)
            case "DELETE", []:
                self.hung_up.add(channel_id)
                self.subscribed.discard(channel_id)
                ended = self.channels.pop(channel_id)
                hung_up = {"type": "ChannelHangupRequest", "cause": 32, "soft": True, "channel": ended}
                await self.send(hung_up, {"type": "StasisEnd", "channel": ended})

    def _set(self, channel_id: str, name: str, value: str) -> None:
        self.values.setdefault(channel_id, {})[name] = value
        if name != TIMER:
            return
        running = self._timers.pop(channel_id, None)
        if running is not None:
            running.cancel()
        if float(value):
            loop = asyncio.get_running_loop()
            self._timers[channel_id] = loop.call_later(float(value), lambda: self._soon(self._fall_back(channel_id)))

    async def _fall_back(self, channel_id: str) -> None:
        if channel_id in self.subscribed:
            self.fell_back.add(channel_id)
            await self._leave(channel_id)

    async def _leave(self, channel_id: str) -> None:
        self.subscribed.discard(channel_id)
        await self.send({"type": "StasisEnd", "channel": self.channels[channel_id]})

    def _soon(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def small_pbx() -> AsyncIterator[SmallPbx]:
    """Serve one on loopback."""
    pbx = SmallPbx()
    async with serve(pbx):
        try:
            yield pbx
        finally:
            pbx.closing.set()
            for timer in pbx._timers.values():
                timer.cancel()
