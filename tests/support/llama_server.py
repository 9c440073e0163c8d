"""llama.cpp's server with a model of our own making, on the loopback interface."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from tests.support.parley_process import free_port
from tools.places import PROGRAMS

NAME = "llama-server"
READY_S = 30.0
LIFE_S = 120


def llama_server_program() -> str | None:
    """Return the path of the server, None where there is none."""
    return shutil.which(NAME) or shutil.which(NAME, path=str(PROGRAMS))


needs_llama_server = pytest.mark.skipif(
    llama_server_program() is None, reason="llama-server is not there: make test-models ENGINE=openai"
)


@asynccontextmanager
async def llama_server(model: Path, *, slots: int = 2, api_key: str = "") -> AsyncIterator[str]:
    """Run the server until the block ends, and give its address. Raises TimeoutError where it does not come up."""
    port = free_port()
    place = ["--host", "127.0.0.1", "--port", str(port), "--parallel", str(slots), "--slots"]
    key = ["--api-key", api_key] if api_key else []
    process = await asyncio.create_subprocess_exec(
        *("timeout", str(LIFE_S), llama_server_program() or NAME),
        *("--model", str(model), "--ctx-size", "4096", "--threads", "1", "--no-webui", "--jinja", *place, *key),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _ready(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(url: str) -> None:
    async with asyncio.timeout(READY_S), aiohttp.ClientSession() as http:
        while True:
            with suppress(aiohttp.ClientError):
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
