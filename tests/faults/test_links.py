"""The links between Asterisk and Parley are cut one by one, without a word to either end, and mended again.

Asterisk and the phones live in one network namespace, Parley in another; every purpose has a wire of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.faults.case import Case, have_a_call
from tests.faults.place import Place
from tests.faults.site import FaultSite, open_site
from tests.support.namespaces import Network, open_network, require_namespaces
from tests.support.speech import require_speech

AMI_BACK_S = 30.0

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def network() -> AsyncIterator[Network]:
    """The wires; this thread lives at the PBX's end of them for as long as the module runs."""
    require_namespaces()
    async with open_network("ari", "media", "ami", "watch") as opened:
        with opened.pbx.entered():
            yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(network: Network, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultSite]:
    """A site whose Parley is elsewhere."""
    require_speech()
    folder = tmp_path_factory.mktemp("links")
    place = Place(folder / "data", network=network, node_prefix=network.node.prefix)
    async with open_site(folder, place) as opened:
        await have_a_call(opened)
        yield opened


def cuts(link: str) -> list[object]:
    return [pytest.param(seconds, marks=pytest.mark.case(f"{link} link cut for {seconds} s")) for seconds in (1, 5, 30)]


async def cut(case: Case, network: Network, link: str, seconds: float) -> None:
    """Cut a link in the middle of a conversation, and judge what becomes of its caller."""
    caller = await case.in_mid_call()
    await network.cut(link)
    try:
        await asyncio.sleep(seconds)
    finally:
        await network.mend(link)
    await case.go_on(caller, time.monotonic())


@pytest.mark.parametrize("seconds", cuts("ARI"))
async def test_ari_link_is_cut(case: Case, network: Network, seconds: float) -> None:
    await cut(case, network, "ari", seconds)


@pytest.mark.parametrize("seconds", cuts("media"))
async def test_media_link_is_cut(case: Case, network: Network, seconds: float) -> None:
    await cut(case, network, "media", seconds)


@pytest.mark.parametrize(
    ("transport", "link"),
    [
        pytest.param("websocket", "ari", marks=pytest.mark.case("link of ARI and WebSocket audio cut for 30 s")),
        pytest.param("audiosocket", "media", marks=pytest.mark.case("link of AudioSocket audio cut for 30 s")),
    ],
)
async def test_link_of_an_audio_connection_is_cut(
    case: Case, site: FaultSite, network: Network, transport: str, link: str
) -> None:
    environment = {"PARLEY_MEDIA__TRANSPORT": transport}
    async with site.node_at(replace(site.place, node_environment=environment)):
        await cut(case, network, link, 30.0)
    await site.start_node()


@pytest.mark.parametrize("seconds", cuts("AMI"))
async def test_ami_link_is_cut(case: Case, site: FaultSite, network: Network, seconds: float) -> None:
    """Calls do not need AMI: the caller goes into the queue meanwhile, of which AMI would tell."""
    caller = await case.in_mid_call()
    await network.cut("ami")
    mended_s = time.monotonic() + seconds
    caller.ask_for_a_person()
    await case.end(caller)
    await asyncio.sleep(mended_s - time.monotonic())
    await network.mend("ami")
    async with asyncio.timeout(AMI_BACK_S):
        while await site.metric("parley_ami_connected") != 1:
            await asyncio.sleep(0.2)
