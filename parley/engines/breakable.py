"""Blocking work in threads of an engine's own, which is broken off when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

Result = TypeVar("Result")


async def run_breakable(
    pool: Executor, work: Callable[[], Result], stop: Callable[[], None], seconds: float | None = None
) -> Result:
    """Run blocking work and return its result.

    stop: makes it end soon; from any thread.   seconds: its time; None: any.
    Raises TimeoutError, and what the work raises. Cancelling: it is stopped, and its thread is free before we leave.
    """
    running = asyncio.get_running_loop().run_in_executor(pool, work)
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(running)
    finally:
        if not running.done():
            stop()
            await asyncio.wait([running])
            running.exception()  # of no interest any more
