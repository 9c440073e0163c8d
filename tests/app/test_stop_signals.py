"""The signals that end a node: heard once the loop runs, and told to whoever bounds the end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from parley.app.stop_signals import RETIRE, STOP, StopSignals


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    """Give the test run its signals back."""
    before = {number: signal.getsignal(number) for number in (*STOP, RETIRE)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP)
async def test_work_is_given_up_when_told_to_stop_and_whoever_bounds_the_end_is_told_first(number: int) -> None:
    told: list[bool] = []
    signals = StopSignals(lambda: told.append(signals.stopping.is_set()))
    giving_up = asyncio.create_task(signals.until_stopping(asyncio.Event().wait()))
    os.kill(os.getpid(), number)
    async with asyncio.timeout(5.0):
        assert await giving_up is False
    assert told == [False]


async def test_retiring_bounds_no_end() -> None:
    signals = StopSignals(lambda: pytest.fail("nobody told the node to stop"))
    os.kill(os.getpid(), RETIRE)
    async with asyncio.timeout(5.0):
        await signals.retiring.wait()
    assert not signals.stopping.is_set()
