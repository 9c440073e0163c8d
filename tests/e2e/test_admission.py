"""Two hundred callers within a second at a node that is full: all go on in the dialplan, and the calls go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from benchmarks.flood import BUSY_HERE, FLOOD_DIALPLAN, REFUSED, TAKEN, flood
from tests.e2e.site import NUMBER_LINE, SETTINGS, Node, serving
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.sip_phone import SipPhone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

OFFERS = 200
PACKETS_PER_S = 50


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    additions = {"extensions.conf": FLOOD_DIALPLAN}
    async with Asterisk(program=require_asterisk(), overlays=(), additions=additions) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def node(pbx: Asterisk, tmp_path: Path) -> AsyncIterator[Node]:
    async with serving(pbx, tmp_path, f"{SETTINGS}[limits]\nmax_calls = {TAKEN}\n") as running:
        yield running


async def test_flood_of_offers_is_refused_as_busy_while_calls_go_on(pbx: Asterisk, node: Node) -> None:
    server = (pbx.sip_host, pbx.sip_port)
    async with SipPhone("15550100", server=server) as taken, SipPhone("15550199", server=server) as phone:
        held = [await taken.call(NUMBER_LINE) for _ in range(TAKEN)]
        before = [call.media.packets_received for call in held]
        refused = await flood(phone, REFUSED, OFFERS)
        received = [call.media.packets_received - count for call, count in zip(held, before, strict=True)]
        assert not any(call.is_ended for call in held)
    assert {call.final_code for call in refused} == {BUSY_HERE}
    flood_s = (refused[-1].ended_at or 0.0) - refused[0].created_at
    assert min(received) >= flood_s * PACKETS_PER_S * 0.9, "the calls' audio faltered"
    assert len(await node.logged("call not taken up", OFFERS)) == OFFERS
    assert node.complaints() == []
    await pbx.wait_until_idle()
