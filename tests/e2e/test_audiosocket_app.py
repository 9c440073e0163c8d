"""The dialplan's AudioSocket() as a way in: served, given back, and whatever fails, the dialplan goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio

from demo.ear import Ear
from parley.conversation.record import EndReason
from tests.dialplans.call_centre import CallCentre, open_call_centre, talk
from tests.e2e.site import RECEPTION, SETTINGS, Node, agent_heard, serving
from tests.e2e.wire import Wire
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.phone_call import PhoneCall
from tests.support.speech import require_speech

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

NUMBER, RECEPTION_LINE, UNKNOWN, ECHO = "830", "831", "832", "900"
DEAD_MAN_S = 11.0
DIALPLAN = """
[from-trunk](+)
exten => _83[0-2],1,Set(CHANNEL(hangup_handler_push)=after-parley,s,1)
 same => n,Set(AGENT=${IF($[${EXTEN} = 830]?number:${IF($[${EXTEN} = 831]?reception:nobody)})})
 same => n,Gosub(parley-audiosocket,s,1(agent=${AGENT},greeting=two words; 50%))
 same => n,Set(GLOBAL(RETURNED)=${PARLEY_STATUS}/${PARLEY_TRANSFER_TO}/${PARLEY_ERROR}/${TIMEOUT(absolute)})
 same => n,GotoIf($["${PARLEY_STATUS}" = "SERVED"]?done)
 same => n,Gosub(parley-transfer,s,1)
 same => n(done),Hangup()
[after-parley]
exten => s,1,Set(GLOBAL(AFTER)=${PARLEY_STATUS}/${PARLEY_OUTCOME}/${PARLEY_SLOT_NUMBER})
 same => n,Return()
""".replace(";", "\\;")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    require_speech()
    additions = {"extensions.conf": DIALPLAN, "manager.conf": "[parley](+)\nwrite = call\n"}
    async with Asterisk(program=require_asterisk(), additions=additions, life_s=300) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def centre(pbx: Asterisk) -> AsyncIterator[CallCentre]:
    for name in ("RETURNED", "AFTER"):
        await pbx.cli(f"dialplan set global {name} nothing")
    async with open_call_centre(pbx) as opened:
        yield opened
        await opened.hang_up()
        await pbx.wait_until_idle()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parley")


@asynccontextmanager
async def serving_audiosocket(
    pbx: Asterisk, folder: Path, more: str = "", password: str = "", ami_port: int = 0, command: str = "serve"
) -> AsyncIterator[Node]:
    """Run a node that lets callers in by AudioSocket(), and tell the dialplan where it, and its standby, are."""
    (folder / "ami.password").write_text(password or pbx.ami_password)
    settings = (
        f'[asterisk.ami]\nusername = "parley"\npassword_file = "ami.password"\nport = {ami_port or pbx.ami_port}\n'
        f"[asterisk.audiosocket_app]\nenabled = true\n[media]\naudiosocket_port = {pbx.ports.first + 6}\n"
    )
    async with serving(pbx, folder, SETTINGS + RECEPTION + settings + more, command=command) as node:
        port = node.process.http_port
        doors = "&".join(f"http://127.0.0.1:{number}/audiosocket" for number in (port, port + 1))
        await pbx.cli(f"dialplan set global PARLEY_AUDIOSOCKET {doors}")
        yield node


@pytest_asyncio.fixture(scope="class", loop_scope="module")
async def node(pbx: Asterisk, folder: Path) -> AsyncIterator[Node]:
    async with serving_audiosocket(pbx, folder, "[limits]\nmax_calls = 1\n") as running:
        yield running


async def seen_by_dialplan(pbx: Asterisk, name: str) -> str:
    shown = await pbx.cli("dialplan show globals")
    return next(line.partition("=")[2] for line in shown.splitlines() if line.strip().startswith(f"{name}="))


async def place_and_timer(pbx: Asterisk, channel: str) -> tuple[str, str]:
    """Return the application that a channel is in, and the seconds left on its timer: 0 when it has none."""
    shown = await pbx.cli(f"core show channel {channel}")
    pairs = (line.partition(":") for line in shown.splitlines())
    told = {name.strip(): value.strip() for name, _, value in pairs}
    return told["Application"], told["Time to Hangup"]


async def talking(centre: CallCentre, number: str) -> PhoneCall:
    """Call, and wait until the agent speaks."""
    caller = await centre.caller.call(number)
    await Ear(caller).speech_begins(caller.answered_at or 0.0)
    return caller


async def reaches_a_person(centre: CallCentre, caller: PhoneCall, within_s: float) -> None:
    """Let a queue agent take the call; both must hear each other."""
    since_s = time.monotonic()
    agent = await centre.offered(within_s + 2.0)
    assert agent.created_at - since_s < within_s
    await agent.answer(ring_s=0.2)
    by_agent, by_caller = await talk(caller, agent)
    assert by_agent.clearly
    assert by_caller.clearly


class TestNode:
    """One node, a call at a time."""

    async def test_caller_is_served_and_hung_up_and_the_dialplan_sees_the_result(
        self, pbx: Asterisk, centre: CallCentre, node: Node
    ) -> None:
        node.log.clear()
        caller = await talking(centre, NUMBER)
        await caller.press("471508")
        await caller.wait_ended(15.0)
        assert agent_heard(caller, "You said 4 7 1 5 0 8.").clearly
        record = (await node.ended_records())[-1]
        assert record.end is not None
        assert record.end.reason is EndReason.COMPLETED
        assert [turn.caller_keys for turn in record.turns] == ["", "471508"]
        assert (record.start.ani, record.start.dnis) == (centre.caller.user, NUMBER)
        assert await seen_by_dialplan(pbx, "AFTER") == "SERVED/read_back/471508"
        assert await seen_by_dialplan(pbx, "RETURNED") == "nothing"
        assert node.complaints() == []

    async def test_caller_who_wants_a_person_goes_on_in_the_dialplan_to_the_queue(
        self, pbx: Asterisk, centre: CallCentre, node: Node
    ) -> None:
        node.log.clear()
        caller = await talking(centre, RECEPTION_LINE)
        await caller.press("0")
        agent = await centre.offered(15.0)
        await agent.answer(ring_s=0.2)
        await asyncio.sleep(0.5)
        await agent.press("1")
        await asyncio.sleep(0.3)
        by_agent, by_caller = await talk(caller, agent)
        assert by_agent.clearly
        assert by_caller.clearly
        await agent.hangup()
        assert await seen_by_dialplan(pbx, "RETURNED") == "TRANSFER/support//0"
        record = (await node.ended_records())[-1]
        assert record.end is not None
        assert (record.end.reason, record.end.transferred_to) == (EndReason.TRANSFERRED, "support")
        await node.logged("caller followed up", 2)
        assert node.complaints() == []

    async def test_caller_who_hangs_up_is_recorded_as_such(self, centre: CallCentre, node: Node) -> None:
        node.log.clear()
        caller = await talking(centre, NUMBER)
        await caller.hangup()
        record = (await node.ended_records())[-1]
        assert record.end is not None
        assert (record.end.reason, record.end.transferred_to) == (EndReason.CALLER_HUNG_UP, "")
        assert node.complaints() == []

    async def test_caller_whom_an_operator_redirects_stays_where_he_was_sent(
        self, pbx: Asterisk, centre: CallCentre, node: Node
    ) -> None:
        node.log.clear()
        caller = await talking(centre, NUMBER)
        channel = (await pbx.cli("core show channels concise")).splitlines()[0].split("!")[0]
        await pbx.cli("module load res_clioriginate.so")
        application, timer_s = await place_and_timer(pbx, channel)
        assert (application, timer_s != "0") == ("AudioSocket", True)
        answer = await pbx.cli(f"channel redirect {channel} from-trunk,{ECHO},1")
        assert "successfully redirected" in answer, answer
        record = (await node.ended_records())[-1]
        assert record.end is not None
        assert (record.end.reason, record.end.transferred_to) == (EndReason.TAKEN_AWAY, "")
        await asyncio.sleep(DEAD_MAN_S)
        assert not caller.is_ended
        assert await place_and_timer(pbx, channel) == ("Echo", "0")
        assert await seen_by_dialplan(pbx, "AFTER") == "nothing"
        assert node.complaints() == []

    async def test_caller_who_puts_the_agent_on_hold_is_waited_for(
        self, pbx: Asterisk, centre: CallCentre, node: Node
    ) -> None:
        node.log.clear()
        caller = await talking(centre, NUMBER)
        await caller.hold()
        await asyncio.sleep(0.5)
        await caller.resume()
        await asyncio.sleep(0.5)
        await caller.press("471508")
        await caller.wait_ended(15.0)
        record = (await node.ended_records())[-1]
        assert [note.kind for note in record.notes] == ["held", "retrieved"]
        assert await seen_by_dialplan(pbx, "AFTER") == "SERVED/read_back/471508"

    async def test_unknown_agent_sends_the_caller_on_unanswered_with_the_reason(
        self, pbx: Asterisk, centre: CallCentre, node: Node
    ) -> None:
        caller = centre.caller.dial(UNKNOWN)
        agent = await centre.offered()
        assert agent.created_at - caller.created_at < 1.0
        status, _, error, _ = (await seen_by_dialplan(pbx, "RETURNED")).split("/", 3)
        assert (status, "unknown agent 'nobody'" in error) == ("FAILED", True)

    async def test_caller_beyond_the_limit_goes_straight_on_as_busy(
        self, pbx: Asterisk, centre: CallCentre, node: Node
    ) -> None:
        node.log.clear()
        first = await talking(centre, NUMBER)
        second = centre.caller.dial(NUMBER)
        agent = await centre.offered()
        assert agent.created_at - second.created_at < 1.0
        assert (await seen_by_dialplan(pbx, "RETURNED")).startswith("BUSY/")
        await first.hangup()
        await node.logged("call ended")

    async def test_stranger_cannot_get_hold_of_somebody_else_s_channel(
        self, pbx: Asterisk, centre: CallCentre, node: Node
    ) -> None:
        node.log.clear()
        recorded = await node.records()
        caller = await centre.caller.call(ECHO)
        listed = await pbx.cli("core show channels concise")
        unique_id = listed.splitlines()[0].split("!")[-1]
        url = f"http://127.0.0.1:{node.process.http_port}/audiosocket"
        form = {"channel": unique_id, "arguments": "agent=number"}
        async with aiohttp.ClientSession() as http, http.post(url, data=form) as answer:
            ticket, _, place = (await answer.text()).partition("@")
        host, _, port = place.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x01\x00\x10" + UUID(ticket).bytes)
        [line] = await node.logged("call not taken up")
        assert line["why"] == "channel"
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert not caller.is_ended
        assert await node.records() == recorded
        assert not [line for line in node.log if line.get("event") == "call started"]

    async def test_frozen_node_s_caller_reaches_a_person_by_the_dead_man_timer(
        self, centre: CallCentre, node: Node
    ) -> None:
        node.log.clear()
        caller = await talking(centre, NUMBER)
        pid = node.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await reaches_a_person(centre, caller, DEAD_MAN_S)
            another = centre.caller.dial(NUMBER)
            agent = await centre.offered(8.0)
            assert agent.created_at - another.created_at < 5.0
        finally:
            os.kill(pid, signal.SIGCONT)
        # Awake again, it sees that its caller is gone.
        await node.ended_records()


async def test_killed_node_s_caller_reaches_a_person_at_once(pbx: Asterisk, centre: CallCentre, folder: Path) -> None:
    async with serving_audiosocket(pbx, folder) as node:
        caller = await talking(centre, NUMBER)
        await node.process.kill()
        await reaches_a_person(centre, caller, 2.0)
        assert (await seen_by_dialplan(pbx, "RETURNED")).startswith("FAILED/")


async def test_upgrade_lets_the_old_node_finish_its_caller_and_new_ones_come_to_the_new_node(
    pbx: Asterisk, centre: CallCentre, tmp_path: Path
) -> None:
    async with serving_audiosocket(pbx, tmp_path, command="supervise") as node:
        first = await talking(centre, NUMBER)
        os.kill(node.process.pid, signal.SIGHUP)
        await node.logged("new node takes the calls, the old one finishes its own", timeout_s=30.0)
        await node.logged("retiring")
        second = await talking(centre, NUMBER)
        await first.press("471508")
        await first.wait_ended(15.0)
        await node.logged("child ended", 2, timeout_s=15.0)
        third = await talking(centre, NUMBER)
        for caller in (second, third):
            await caller.press("471508")
            await caller.wait_ended(15.0)
        records = await node.ended_records(3)
        assert [record.start.node for record in records] == ["parley", "parley-b", "parley-b"]
        assert {record.end.reason for record in records if record.end} == {EndReason.COMPLETED}


async def test_absent_node_s_callers_reach_a_person_unanswered(pbx: Asterisk, centre: CallCentre) -> None:
    await pbx.cli("dialplan set global PARLEY_AUDIOSOCKET http://127.0.0.1:9/audiosocket")
    caller = centre.caller.dial(NUMBER)
    agent = await centre.offered()
    assert agent.created_at - caller.created_at < 1.0
    assert await seen_by_dialplan(pbx, "RETURNED") == "FAILED///0"


async def test_node_without_ami_takes_nobody_in(pbx: Asterisk, centre: CallCentre, folder: Path) -> None:
    async with serving_audiosocket(pbx, folder, password="a-guess"):
        caller = centre.caller.dial(NUMBER)
        agent = await centre.offered()
        assert agent.created_at - caller.created_at < 1.0
        assert (await seen_by_dialplan(pbx, "RETURNED")).startswith("FAILED//AMI is not connected")


async def test_ami_cut_for_five_seconds_costs_the_caller_nothing(
    pbx: Asterisk, centre: CallCentre, folder: Path
) -> None:
    wire = Wire(pbx.ami_port)
    async with serving_audiosocket(pbx, folder, ami_port=await wire.open()) as node:
        caller = await talking(centre, NUMBER)
        wire.cut()
        await asyncio.sleep(5.0)
        await wire.open()
        await caller.press("471508")
        await caller.wait_ended(15.0)
        assert agent_heard(caller, "You said 4 7 1 5 0 8.").clearly
        assert await seen_by_dialplan(pbx, "AFTER") == "SERVED/read_back/471508"
        assert node.complaints() == []
        wire.cut()


async def test_ami_cut_for_good_sends_the_caller_to_a_person(pbx: Asterisk, centre: CallCentre, folder: Path) -> None:
    wire = Wire(pbx.ami_port)
    async with serving_audiosocket(pbx, folder, ami_port=await wire.open()):
        caller = await talking(centre, NUMBER)
        wire.cut()
        await reaches_a_person(centre, caller, DEAD_MAN_S)
