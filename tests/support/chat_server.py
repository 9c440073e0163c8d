"""A chat server that sends what a test says, and notices when its client leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

WAIT = b""
"""In a script: send nothing more, until the client leaves."""


class ChatServer:
    """Scripts for replies; what was asked, and who left early."""

    def __init__(self) -> None:
        self.status = 200
        self.script: Sequence[bytes] = ()
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.left = asyncio.Event()
        """A client closed its connection in the middle of a reply."""
        self.answers_at_all = True
        self.url = ""

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Send the script, one write for each of its parts."""
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        if self.status != 200:
            return web.Response(status=self.status, text="you said: my number is 471508")
        try:
            if not self.answers_at_all:
                await asyncio.Event().wait()
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for octets in self.script:
                if octets == WAIT:
                    await asyncio.Event().wait()
                await response.write(octets)
            return response
        except asyncio.CancelledError:
            self.left.set()
            raise


def event(**fields: object) -> bytes:
    """Return a server-sent event."""
    return f"data: {json.dumps(fields)}\n\n".encode()


def text(*words: str) -> list[bytes]:
    """Return the events of words."""
    return [event(choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}]) for word in words]


def end(reason: str = "stop") -> list[bytes]:
    """Return the events that end a reply, with its usage."""
    return [
        event(choices=[{"index": 0, "delta": {}, "finish_reason": reason}]),
        event(choices=[], usage={"prompt_tokens": 5, "completion_tokens": 7}),
        b"data: [DONE]\n\n",
    ]


@asynccontextmanager
async def chat_server() -> AsyncIterator[ChatServer]:
    """Serve on a free port of the loopback interface."""
    server = ChatServer()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.complete)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield server
    finally:
        await runner.cleanup()
