"""Callers' names that would break out of a line, a header or an expression, if anything evaluated them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.caller import AnsweringCaller
from tests.faults.case import Case
from tests.faults.site import NAMED_LINE, NUMBERS_LINE, FaultSite

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]

APART_S = 1.0
"""From one call to the next: fewer of them speak in the same moment."""
LINES = 'Jane\r\nAction: Command\r\nCommand: core stop now\r\n\r\nX-Evil: yes, "no" ${SHELL(id)}'
"""As the dialplan may set it, from a database for instance; SIP cannot carry it."""
NAMES = (
    "Jane%0AAction: Command%0d%0aCommand: core stop now",
    "Jane \"J\" 'x' <sip:evil@127.0.0.1> ${SHELL(id)} $[1/0] {number} %s ;",
    "A" * 10_000,
)


@pytest_asyncio.fixture(loop_scope="session")
async def name_with_lines(site: FaultSite) -> AsyncIterator[str]:
    """The number at which the dialplan gives the caller a name with line breaks."""
    site.name_file.write_text(LINES, newline="")
    yield NAMED_LINE


async def serve(case: Case, caller: AnsweringCaller) -> None:
    """Have a conversation."""
    await caller.understood()
    await case.end(caller)


@pytest.mark.case(
    "caller's name with CR and LF", "caller's name with %0A", "caller's name with quotes", "caller's name of 10 kB"
)
async def test_callers_with_hostile_names_are_served(site: FaultSite, case: Case, name_with_lines: str) -> None:
    await case.commit()
    callers = []
    async with asyncio.TaskGroup() as calls:
        for row, (number, name) in enumerate([(name_with_lines, ""), *((NUMBERS_LINE, name) for name in NAMES)]):
            callers.append(case.dial(number, row=row, name=name))
            calls.create_task(serve(case, callers[-1]))
            await asyncio.sleep(APART_S)
    by_number = {record.start.ani: record for record in await site.records()}
    for caller in callers:
        record = by_number[caller.name]
        assert record.end is not None
        assert record.end.outcome == "told"
        assert "Jane" not in repr(record)
    # Nothing was evaluated, and nothing broke out of its line of Parley's log.
    assert not any("uid=" in line for line in site.pbx.log())
    for line in (site.node.folder / "parley.log").read_text().splitlines():
        assert isinstance(json.loads(line), dict)
