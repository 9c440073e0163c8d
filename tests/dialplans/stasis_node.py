"""The least of a Parley node: an ARI application that takes a call, sets variables and lets the dialplan go on."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import aiohttp

from tests.support.asterisk import Asterisk


@dataclass(frozen=True, slots=True)
class TakenCall:
    """A channel that entered the application."""

    channel_id: str
    arguments: tuple[str, ...]


class StasisNode:
    """A connected ARI application. Use `stasis_node()`."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, base: str) -> None:
        self._session = session
        self._socket = socket
        self._base = base

    async def next_call(self, timeout_s: float = 5.0) -> TakenCall:
        """Wait for a channel to enter the application. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                event = await self._socket.receive_json()
                if event["type"] == "StasisStart":
                    return TakenCall(event["channel"]["id"], tuple(event["args"]))

    async def answer(self, call: TakenCall) -> None:
        """Answer the call."""
        await self._post(f"channels/{call.channel_id}/answer")

    async def set_variable(self, call: TakenCall, name: str, value: str) -> None:
        """Set a channel variable or function."""
        await self._post(f"channels/{call.channel_id}/variable", variable=name, value=value)

    async def let_go(self, call: TakenCall, variables: Mapping[str, str]) -> None:
        """Set variables and let the dialplan go on, as Parley does at the end."""
        for name, value in variables.items():
            await self.set_variable(call, name, value)
        await self._post(f"channels/{call.channel_id}/continue")

    async def leave(self) -> None:
        """Disconnect without a word, as a process that is killed."""
        await self._socket.close()

    async def _post(self, path: str, **parameters: str) -> None:
        async with self._session.post(f"{self._base}/{path}", params=parameters) as response:
            response.raise_for_status()


@asynccontextmanager
async def stasis_node(pbx: Asterisk, application: str) -> AsyncIterator[StasisNode]:
    """Connect an application to this Asterisk."""
    credentials = base64.b64encode(f"{pbx.ari_username}:{pbx.ari_password}".encode()).decode()
    base = f"{pbx.ari_url}/ari"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Basic {credentials}"}) as session,
        session.ws_connect(f"{base}/events", params={"app": application}) as socket,
    ):
        await _registered(session, base, application)
        yield StasisNode(session, socket, base)


async def _registered(session: aiohttp.ClientSession, base: str, application: str) -> None:
    while True:
        async with session.get(f"{base}/applications") as response:
            known = cast(list[dict[str, object]], await response.json())
        if any(entry["name"] == application for entry in known):
            return
        await asyncio.sleep(0.01)
