"""Parley may be absent, and node and Asterisk may stand still or die, in the middle of a call."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.faults.case import Case
from tests.faults.site import FaultSite

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.case("Parley absent")
async def test_caller_reaches_a_person_while_parley_is_not_running(site: FaultSite, case: Case) -> None:
    await site.stop_node()
    await case.end(case.dial())
    await site.start_node()


@pytest.mark.case("node stands still for 15 s")
async def test_caller_of_a_node_that_stands_still_reaches_a_person(site: FaultSite, case: Case) -> None:
    caller = await case.in_mid_call()
    os.kill(site.node.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(15.0)
    finally:
        os.kill(site.node.pid, signal.SIGCONT)
    await case.end(caller)


@pytest.mark.case("Asterisk killed in mid-call and back")
async def test_next_caller_of_an_asterisk_that_is_killed_and_comes_back_is_served(site: FaultSite, case: Case) -> None:
    """The call itself ends with Asterisk, which carries it: it is judged until then."""
    caller = await case.in_mid_call()
    await site.pbx.kill()
    await case.lose(caller)
    await site.pbx.restart()
    await site.node_is_ready()
    await case.end(case.dial())
