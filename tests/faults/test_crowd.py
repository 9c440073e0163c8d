"""Two hundred people call within one second. Those beyond the limit reach the queue; everybody hears something."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.caller import AnsweringCaller
from tests.faults.case import Case
from tests.faults.site import FaultSite

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]

CALLERS = 200
LIMIT = 20
"""limits.max_calls where nothing else is set."""
WITHIN_S = 1.0
STAY_S = 12.0


def in_queue(site: FaultSite) -> int:
    """Return how many callers have ever entered the queue."""
    return sum("|ENTERQUEUE|" in line for line in site.pbx.queue_log())


@pytest.mark.case("200 INVITEs in a second")
async def test_everybody_in_a_crowd_hears_something(site: FaultSite, case: Case) -> None:
    """Their phones send no audio: two hundred streams of it would try the test's own machine, not the site."""
    case.people_answer = False
    queued, refused = in_queue(site), await site.metric("parley_calls_refused_total", why="overload")
    callers: list[AnsweringCaller] = []
    began_s = time.monotonic()
    for number in range(CALLERS):
        await asyncio.sleep(began_s + number * WITHIN_S / CALLERS - time.monotonic())
        callers.append(case.dial_and_listen())
        callers[-1].call.media.dumb = True
    assert time.monotonic() - began_s < 1.5 * WITHIN_S
    await asyncio.sleep(STAY_S)
    assert all(caller.call.is_answered and not caller.call.is_ended for caller in callers)
    served = int(await site.metric("parley_calls_active"))
    queued, refused = in_queue(site) - queued, await site.metric("parley_calls_refused_total", why="overload") - refused
    case.rows[0].note = f"{served} with the agent, {queued} in the queue"
    for caller in callers:
        await case.hang_up(caller, "queue")
    assert (served, queued, refused) == (LIMIT, CALLERS - LIMIT, CALLERS - LIMIT)
