"""The caller's own line is bad: nothing for two seconds, loss, reordering, duplicates, jitter. All at once."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.case import Case
from tests.support.phone_line import PhoneLine

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]

APART_S = 1.0
"""From one call to the next: fewer of them speak in the same moment."""
BAD_LINES = (
    PhoneLine(loss=0.3),
    PhoneLine(reordered=0.2),
    PhoneLine(duplicated=0.3),
    PhoneLine(jitter_s=0.2),
)


async def serve(case: Case, row: int, line: PhoneLine) -> None:
    """Have a conversation on a bad line, from its second answer on."""
    await asyncio.sleep(row * APART_S)
    caller = case.dial(row=row)
    await caller.understood()
    caller.call.media.line = line
    await case.go_on(caller, time.monotonic())


async def serve_with_gap(case: Case) -> None:
    """Lose everything that the phone sends for two seconds, from the middle of an answer on."""
    caller = case.dial(row=0)
    await caller.understood()
    await caller.speaking.wait()
    await asyncio.sleep(0.5)
    caller.call.media.line = PhoneLine(loss=1.0)
    await asyncio.sleep(2.0)
    caller.call.media.line = None
    await case.go_on(caller, time.monotonic())


@pytest.mark.case(
    "2 s without RTP from the caller",
    "30 % of the caller's packets lost",
    "caller's packets reordered",
    "caller's packets doubled",
    "caller's packets with 200 ms jitter",
)
async def test_callers_on_bad_lines_are_served(case: Case) -> None:
    await case.commit()
    async with asyncio.TaskGroup() as calls:
        calls.create_task(serve_with_gap(case))
        for row, line in enumerate(BAD_LINES, 1):
            calls.create_task(serve(case, row, line))
