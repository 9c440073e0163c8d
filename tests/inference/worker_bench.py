"""A served worker with fake engines, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc.aio

from parley.inference.client import open_channel
from parley.inference.registry import Engines
from parley.inference.server import InferenceServer, Limits


@asynccontextmanager
async def served(
    engines: Engines, address: str = "127.0.0.1:0", limits: Limits | None = None
) -> AsyncGenerator[grpc.aio.Channel]:
    """Serve the engines and open a channel to them."""
    server = InferenceServer(engines, address, limits)
    bound = await server.start()
    try:
        async with open_channel(bound) as channel:
            yield channel
    finally:
        await server.stop(grace_s=0)
