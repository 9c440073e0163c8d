"""Waiting for one of several things, with a limit."""

from __future__ import annotations

import asyncio


async def first_of(*events: asyncio.Event, timeout_s: float) -> None:
    """Wait until one of the events is set or the time is over."""
    waiters = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiters, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()
