"""A node dies in the middle of a call, whatever carries the audio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.faults.case import Case, have_a_call
from tests.faults.site import FaultSite

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["rtp", "websocket", "audiosocket"])
async def site(site: FaultSite, request: pytest.FixtureRequest) -> AsyncIterator[FaultSite]:
    """The shared site, its node with this transport."""
    environment = {"PARLEY_MEDIA__TRANSPORT": str(request.param)}
    async with site.node_at(replace(site.place, node_environment=environment)):
        await have_a_call(site)
        yield site


@pytest.mark.case("node killed for good")
async def test_caller_of_a_node_that_is_killed_reaches_a_person(site: FaultSite, case: Case) -> None:
    caller = await case.in_mid_call()
    await site.kill_node()
    await case.end(caller)
    await site.start_node()


@pytest.mark.case("node killed in mid-call and back")
async def test_caller_of_a_node_that_is_killed_and_comes_back_is_served_on(site: FaultSite, case: Case) -> None:
    caller = await case.in_mid_call()
    await site.kill_node()
    await site.start_node()
    await case.end(caller, as_="resumed")
