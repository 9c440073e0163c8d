"""The time of day is stepped by an hour in the middle of a call, ahead and back.

Only Parley's processes see the step (clock_step.c): a test has no machine of its own whose clock it may set.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.faults.case import Case, have_a_call
from tests.faults.clock_step import SteppedClock
from tests.faults.site import FaultSite

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]

HOUR_S = 3600.0


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> SteppedClock:
    """The clock of the node and its worker."""
    return SteppedClock(tmp_path_factory.mktemp("clock"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(site: FaultSite, clock: SteppedClock) -> AsyncIterator[FaultSite]:
    """The shared site, its node under the clock that is stepped."""
    async with site.node_at(replace(site.place, node_environment=clock.environment)):
        await have_a_call(site)
        yield site


@pytest.mark.parametrize(
    "step_s",
    [
        pytest.param(HOUR_S, marks=pytest.mark.case("clock stepped an hour ahead")),
        pytest.param(-HOUR_S, marks=pytest.mark.case("clock stepped an hour back")),
    ],
)
async def test_clock_is_stepped(case: Case, site: FaultSite, clock: SteppedClock, step_s: float) -> None:
    caller = await case.in_mid_call()
    clock.step(step_s)
    await case.go_on(caller, time.monotonic())
    end = (await site.records())[-1].end
    clock.step(0.0)
    # The step was real: the record has it.
    assert end is not None
    assert abs(end.ended_at - time.time() - step_s) < 60.0
