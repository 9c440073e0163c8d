"""What becomes of a caller behind Parley, told by AMI: in the record, in the metrics; and a lost AMI harms nobody."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from rich.console import Console

from demo.ear import Ear
from parley.app.call_pages import print_call
from parley.store import CallRecord
from tests.contract.benches import until
from tests.dialplans.call_centre import CallCentre, open_call_centre
from tests.e2e.site import DIALPLAN, MAIN_NUMBER, RECEPTION, SETTINGS, Node, serving
from tests.e2e.wire import Wire
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.phone_call import PhoneCall
from tests.support.speech import require_speech

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    require_speech()
    async with Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN}, life_s=200) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def centre(pbx: Asterisk) -> AsyncIterator[CallCentre]:
    async with open_call_centre(pbx) as opened:
        yield opened
        await opened.hang_up()
        await pbx.wait_until_idle()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parley")


@asynccontextmanager
async def serving_with_ami(pbx: Asterisk, folder: Path, port: int = 0, password: str = "") -> AsyncIterator[Node]:
    """Run a node with AMI, at another port or with another password on demand."""
    (folder / "ami.password").write_text(password or pbx.ami_password)
    ami = f'[asterisk.ami]\nusername = "parley"\npassword_file = "ami.password"\nport = {port or pbx.ami_port}\n'
    async with serving(pbx, folder, SETTINGS + RECEPTION + ami) as node:
        yield node


async def asks_for_a_person(centre: CallCentre) -> PhoneCall:
    caller = await centre.caller.call(MAIN_NUMBER)
    await Ear(caller).speech_begins(caller.answered_at or 0.0)
    await caller.press("0")
    return caller


async def is_taken(centre: CallCentre) -> None:
    """Let a queue agent take the call, talk for a second and hang up."""
    agent = await centre.offered(15.0)
    await agent.answer(ring_s=0.2)
    await asyncio.sleep(0.5)
    await agent.press("1")
    await asyncio.sleep(1.5)
    await agent.hangup()


async def metric(node: Node, name: str) -> float:
    url = f"http://127.0.0.1:{node.process.http_port}/metrics"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        lines = (await answer.text()).splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def ami_is(node: Node, connected: int) -> bool:
    async def now() -> bool:
        return await metric(node, "parley_ami_connected") == connected

    return await until(now)


def page_of(record: CallRecord) -> str:
    out = io.StringIO()
    print_call(Console(file=out, width=140), record)
    return out.getvalue()


async def test_calls_show_tells_who_took_the_caller_after_how_long(
    pbx: Asterisk, centre: CallCentre, folder: Path
) -> None:
    async with serving_with_ami(pbx, folder) as node:
        assert await ami_is(node, 1)
        caller = await asks_for_a_person(centre)
        (await centre.offered(15.0)).reject()
        await is_taken(centre)
        await caller.wait_ended(5.0)
        await node.logged("caller followed up", 3)
        record = (await node.records())[-1]
        assert await metric(node, 'parley_queue_events_total{event="answered"}') == 1
        assert await metric(node, 'parley_queue_events_total{event="declined"}') == 1
        assert node.complaints() == []
    assert [note.kind for note in record.notes] == ["agent_declined", "agent_answered", "queue_left"]
    took = record.notes[1].details
    assert took["agent"] in ("Agent One", "Agent Two")
    assert int(took["waited_s"]) <= 6
    assert f"{took['agent']} took the call in support after {took['waited_s']} s" in page_of(record)
    kept = (folder / "parley.log").read_text()
    assert not any("Agent One" in line or "Agent Two" in line for line in kept.splitlines() if "pii_" not in line)


async def test_calls_show_tells_that_the_caller_gave_up(pbx: Asterisk, centre: CallCentre, folder: Path) -> None:
    async with serving_with_ami(pbx, folder) as node:
        assert await ami_is(node, 1)
        caller = await asks_for_a_person(centre)
        await centre.offered(15.0)
        await asyncio.sleep(1.0)
        await caller.hangup()
        await node.logged("caller followed up")
        record = (await node.records())[-1]
    assert "the caller gave up waiting in support after" in page_of(record)


async def test_ami_cut_in_mid_call_is_told_once_and_harms_no_call(
    pbx: Asterisk, centre: CallCentre, folder: Path
) -> None:
    wire = Wire(pbx.ami_port)
    async with serving_with_ami(pbx, folder, port=await wire.open()) as node:
        assert await ami_is(node, 1)
        caller = await centre.caller.call(MAIN_NUMBER)
        await Ear(caller).speech_begins(caller.answered_at or 0.0)
        wire.cut()
        assert await ami_is(node, 0)
        await caller.press("0")
        await is_taken(centre)
        await caller.wait_ended(5.0)
        assert (await node.ended_records())[-1].notes == ()
        [lost] = [line["problem"] for line in node.log if line.get("event") == "no AMI; calls go on without it"]
        assert lost in ("Asterisk closed the connection", "the connection broke")
        assert node.complaints() == []


async def test_wrong_ami_password_keeps_nobody_from_being_served(
    pbx: Asterisk, centre: CallCentre, folder: Path
) -> None:
    async with serving_with_ami(pbx, folder, password="a-guess") as node:
        await asks_for_a_person(centre)
        await is_taken(centre)
        [line] = await node.logged("no AMI; calls go on without it")
        assert "[parley] of manager.conf" in str(line["problem"])
        assert "a-guess" not in str(node.log)
        assert await metric(node, "parley_ami_connected") == 0
