"""`parley supervise` on a real Asterisk: what dies or hangs comes back to its caller, and upgrades drop no call."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from demo.ear import Ear
from parley.conversation.record import EndReason
from tests.dialplans.call_centre import RING_S, CallCentre, open_call_centre
from tests.e2e.site import (
    DESKS,
    DIALPLAN,
    MAIN_NUMBER,
    NUMBER_LINE,
    RECEPTION,
    SETTINGS,
    Node,
    agent_heard,
    serve_in_vain,
    serving,
)
from tests.e2e.test_calls import press_after_prompts
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.liveness import is_alive
from tests.support.phone_call import PhoneCall
from tests.support.speech import require_speech

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

DEAD_MAN_S = 10.0
BACK_S = 8.0
"""From the kill to the agent's voice: clearly within the dead-man time, on a machine with other work to do."""
APOLOGY = "Sorry, I lost you for a moment."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    """One Asterisk for the tests of this module."""
    require_speech()
    async with Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN + DESKS}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(pbx: Asterisk, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    """One supervised node for the tests of this module; the last one upgrades it."""
    async with serving(pbx, tmp_path_factory.mktemp("parley"), SETTINGS + RECEPTION, command="supervise") as running:
        yield running
    assert running.process.exit_status == 0
    assert not any(is_alive(line["child_pid"]) for line in running.log if line.get("event") == "child started")


@pytest_asyncio.fixture(loop_scope="module")
async def centre(pbx: Asterisk, node: Node) -> AsyncIterator[CallCentre]:
    """A caller and two queue agents; afterwards Asterisk has no channel and no bridge left."""
    async with open_call_centre(pbx) as opened:
        yield opened
        await opened.hang_up()
        await pbx.wait_until_idle()


def pid_of(node: Node, child: str) -> int:
    """Return the process id of a supervised child that was started last."""
    started = [line for line in node.log if line.get("event") == "child started" and line["child"] == child]
    return int(started[-1]["child_pid"])


async def asked_for_the_number(centre: CallCentre) -> PhoneCall:
    """Call, name a day and confirm it; return the call when the agent asks for the membership number."""
    caller = await centre.caller.call(MAIN_NUMBER)
    await press_after_prompts(caller, "4#", "1")
    await Ear(caller).speech_begins(time.monotonic())
    await asyncio.sleep(0.5)
    return caller


async def books_in_one_record(caller: PhoneCall, node: Node) -> None:
    """Go on with the membership number; the appointment is booked, and the one record has everything."""
    records = len(await node.records())
    await asyncio.sleep(0.5)
    await press_after_prompts(caller, "471508", "1", "2")
    await caller.wait_ended(15.0)
    await node.logged("call ended", records)
    after = await node.records()
    assert len(after) == records
    record = after[-1]
    assert record.end is not None
    assert (record.end.reason, record.end.outcome) == (EndReason.COMPLETED, "booked")
    assert record.end.slots["member"] == "471508"
    assert record.end.slots["day"]
    keys = [turn.caller_keys for turn in record.turns if turn.caller_keys]
    assert keys == ["4", "1", "471508", "1", "2"]
    assert [turn.number for turn in record.turns] == list(range(len(record.turns)))


async def test_error_in_the_settings_ends_the_supervisor_with_one_message(pbx: Asterisk, tmp_path: Path) -> None:
    ended = await serve_in_vain(pbx, tmp_path, SETTINGS, password="not-the-password", command="supervise")
    assert ended.status == 2
    [message] = ended.messages
    assert "ari.conf" in message


async def test_killed_node_comes_back_to_its_caller_and_goes_on_asking(centre: CallCentre, node: Node) -> None:
    caller = await asked_for_the_number(centre)
    killed_s = time.monotonic()
    os.kill(pid_of(node, "parley: node"), signal.SIGKILL)
    back_s = await Ear(caller).speech_begins(killed_s + 0.3)
    print(f"node killed: {back_s - killed_s:.2f} s of silence")
    assert back_s - killed_s < BACK_S
    await asyncio.sleep(2.5)
    assert agent_heard(caller, APOLOGY).clearly
    await books_in_one_record(caller, node)


async def test_killed_node_comes_back_to_the_party_that_took_the_callers_place(centre: CallCentre, node: Node) -> None:
    caller = await asked_for_the_number(centre)
    caller.refer("sip:201@127.0.0.1")
    person = await centre.agents[0].next_call()
    await person.answer(ring_s=RING_S)
    await Ear(person).speech_begins(person.answered_at or 0.0)
    await asyncio.sleep(0.5)
    killed_s = time.monotonic()
    os.kill(pid_of(node, "parley: node"), signal.SIGKILL)
    back_s = await Ear(person).speech_begins(killed_s + 0.3)
    assert back_s - killed_s < BACK_S
    await asyncio.sleep(2.5)
    assert agent_heard(person, APOLOGY).clearly
    await books_in_one_record(person, node)


async def test_killed_worker_costs_the_caller_a_pause_at_most(centre: CallCentre, node: Node) -> None:
    caller = await asked_for_the_number(centre)
    before = pid_of(node, "parley: node")
    os.kill(pid_of(node, "parley: worker"), signal.SIGKILL)
    await books_in_one_record(caller, node)
    assert pid_of(node, "parley: node") == before
    assert not agent_heard(caller, APOLOGY).clearly


async def test_node_that_hangs_is_replaced_and_its_caller_is_not_left_in_silence(
    centre: CallCentre, node: Node
) -> None:
    caller = await asked_for_the_number(centre)
    stopped_s = time.monotonic()
    os.kill(pid_of(node, "parley: node"), signal.SIGSTOP)
    back_s = await Ear(caller).speech_begins(stopped_s + 0.3)
    print(f"node stopped: {back_s - stopped_s:.2f} s of silence")
    assert back_s - stopped_s < DEAD_MAN_S
    await asyncio.sleep(2.5)
    assert agent_heard(caller, APOLOGY).clearly
    await books_in_one_record(caller, node)


async def test_killed_supervisor_takes_its_children_along_and_the_next_one_finds_the_call(
    centre: CallCentre, node: Node
) -> None:
    caller = await asked_for_the_number(centre)
    children = [pid_of(node, f"parley: {child}") for child in ("node", "worker")]
    killed_s = time.monotonic()
    await node.process.kill()
    assert not any(map(is_alive, children))
    await node.process.start(SETTINGS + RECEPTION)
    back_s = await Ear(caller).speech_begins(killed_s + 0.3)
    print(f"supervisor killed: {back_s - killed_s:.2f} s of silence")
    assert back_s - killed_s < BACK_S
    await books_in_one_record(caller, node)


async def test_upgrade_lets_the_old_node_finish_its_call_and_gives_new_ones_to_the_new_node(
    pbx: Asterisk, centre: CallCentre, node: Node
) -> None:
    in_queues = len(pbx.queue_log())
    caller = await asked_for_the_number(centre)
    os.kill(node.process.pid, signal.SIGHUP)
    await node.logged("new node takes the calls, the old one finishes its own", timeout_s=30.0)
    await node.logged("retiring")
    with_new = await centre.caller.call(NUMBER_LINE)
    await Ear(with_new).speech_begins(with_new.answered_at or 0.0)
    await press_after_prompts(caller, "471508", "1", "2")
    await caller.wait_ended(15.0)
    await node.logged("child ended", 2, timeout_s=15.0)
    await press_after_prompts(with_new, "471508")
    await with_new.wait_ended(10.0)
    await node.logged("call ended", len(await node.records()))
    records = (await node.records())[-2:]
    assert {record.start.node for record in records} == {"parley", "parley-b"}
    for record in records:
        assert record.end is not None
        assert record.end.reason is EndReason.COMPLETED
        assert not {"resumed", "interrupted"} & {note.kind for note in record.notes}
    assert len(pbx.queue_log()) == in_queues, "nobody was refused"
