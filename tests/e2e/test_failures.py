"""Whatever fails, the caller reaches a person, and the administrator one clear message."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from demo.ear import Ear
from parley.conversation.record import EndReason
from tests.dialplans.call_centre import CallCentre, open_call_centre, talk
from tests.e2e.site import DIALPLAN, FLOWS, NUMBER_LINE, SETTINGS, Node, agent_heard, serve_in_vain, serving
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.phone_call import PhoneCall
from tests.support.speech import require_speech
from tests.support.udp_ports import port_before_a_taken_one

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

UNKNOWN_AGENT = "821"
DEAD_MAN_S = 11.0
"""Asterisk's dead-man timer runs for ten seconds from its last renewal."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    """One Asterisk for the tests of this module."""
    require_speech()
    async with Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def centre(pbx: Asterisk) -> AsyncIterator[CallCentre]:
    """A caller and two queue agents; afterwards every call is over and Asterisk has no channel left."""
    async with open_call_centre(pbx) as opened:
        yield opened
        await opened.hang_up()
        await pbx.wait_until_idle()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for every Parley of this module: prompts are spoken once, records add up."""
    return tmp_path_factory.mktemp("parley")


async def assert_rings_a_person(centre: CallCentre, within_s: float = 2.0) -> PhoneCall:
    """Wait until a queue agent's phone rings for the caller."""
    since_s = time.monotonic()
    agent = await centre.offered(within_s + 2.0)
    assert agent.created_at - since_s < within_s
    return agent


async def assert_reaches_a_person(centre: CallCentre, caller: PhoneCall, within_s: float = 2.0) -> None:
    """Let a queue agent take the call; both must hear each other."""
    agent = await assert_rings_a_person(centre, within_s)
    await agent.answer()
    by_agent, by_caller = await talk(caller, agent)
    assert by_agent.clearly
    assert by_caller.clearly


async def test_caller_reaches_a_person_when_parley_is_not_running(pbx: Asterisk, centre: CallCentre) -> None:
    await assert_reaches_a_person(centre, centre.caller.dial(NUMBER_LINE))
    assert any("|CONNECT|" in line for line in pbx.queue_log())


async def test_wrong_password_is_told_in_one_message_and_the_caller_reaches_a_person(
    pbx: Asterisk, centre: CallCentre, folder: Path
) -> None:
    ended = await serve_in_vain(pbx, folder, SETTINGS, password="not-the-password")
    assert ended.status == 2
    [message] = ended.messages
    assert "'parley'" in message
    assert "ari.conf" in message
    assert "not-the-password" not in ended.output
    assert "Traceback" not in ended.output
    centre.caller.dial(NUMBER_LINE)
    await assert_rings_a_person(centre)


async def test_caller_reaches_a_person_when_asterisk_cannot_carry_the_audio(folder: Path) -> None:
    additions = {"extensions.conf": DIALPLAN, "modules.conf": "noload = chan_rtp.so"}
    async with (
        Asterisk(program=require_asterisk(), additions=additions) as pbx,
        open_call_centre(pbx) as centre,
        serving(pbx, folder) as node,
    ):
        centre.caller.dial(NUMBER_LINE)
        await assert_rings_a_person(centre)
        [line] = await node.logged("call cannot be taken up")
        assert "load chan_rtp.so" in line["problem"]
        await centre.hang_up()
        await pbx.wait_until_idle()


async def test_caller_reaches_a_person_when_no_port_for_audio_is_free(
    pbx: Asterisk, centre: CallCentre, folder: Path
) -> None:
    with port_before_a_taken_one() as port:  # for the media engine; the call's own is not to be had
        ports = f"[media]\nfirst_port = {port}\nlast_port = {port + 1}\nport_per_call = true\n"
        async with serving(pbx, folder, f"{SETTINGS}[limits]\nmax_calls = 1\n{ports}") as node:
            centre.caller.dial(NUMBER_LINE)
            await assert_rings_a_person(centre)
            [line] = await node.logged("call cannot be taken up")
            assert f"{port}" in line["problem"]
            assert [complaint["event"] for complaint in node.complaints()] == ["call cannot be taken up"]


async def test_malformed_flow_is_told_with_file_and_line(pbx: Asterisk, tmp_path: Path) -> None:
    flow = tmp_path / "broken" / "flow.yaml"
    flow.parent.mkdir(parents=True)
    flow.write_text(
        "flow: broken\nlanguages: [en]\nstart: hello\nfallback: support\nnodes:\n  hello: {say: Hello., go: nowhere}\n"
    )
    settings = SETTINGS.replace(str(FLOWS), str(tmp_path)).replace('"number"', '"broken"')
    ended = await serve_in_vain(pbx, tmp_path, settings)
    assert ended.status == 2
    assert f"{flow}:6: there is no node 'nowhere'" in ended.output
    assert "Traceback" not in ended.output


async def test_killed_parley_loses_no_caller_and_no_turn(pbx: Asterisk, centre: CallCentre, folder: Path) -> None:
    async with serving(pbx, folder) as node:
        caller = await centre.caller.call(NUMBER_LINE)
        await Ear(caller).speech_begins(caller.answered_at or 0.0)
        # A number too short: the greeting's turn is over, and the agent is in the middle of the next.
        await caller.press("12#")
        await node.logged("turn")
        await asyncio.sleep(0.5)
        before = (await node.records())[-1]
        assert before.end is None
        assert before.turns

        await node.process.kill()
        assert node.process.exit_status in (-signal.SIGKILL, 128 + signal.SIGKILL)
        await assert_reaches_a_person(centre, caller, DEAD_MAN_S)

        await node.process.start(SETTINGS)
        after = (await node.records())[-1]
        assert after.start == before.start
        assert after.turns == before.turns
        assert after.end is not None
        assert after.end.reason is EndReason.FAILED
        assert "interrupted" in [note.kind for note in after.notes]


@pytest_asyncio.fixture(scope="class", loop_scope="module")
async def node(pbx: Asterisk, folder: Path) -> AsyncIterator[Node]:
    """One Parley for the tests of a class."""
    async with serving(pbx, folder, SETTINGS + "[limits]\ndrain_s = 1\n") as running:
        yield running


class TestRunningNode:
    """What one node lives through; it is stopped by the last test."""

    async def test_caller_of_an_agent_that_does_not_exist_reaches_a_person(
        self, centre: CallCentre, node: Node
    ) -> None:
        centre.caller.dial(UNKNOWN_AGENT)
        await assert_rings_a_person(centre)
        [line] = await node.logged("call not taken up")
        assert line["why"] == "arguments"
        assert "unknown agent 'nobody'" in line["problem"]
        assert "[agents.NAME]" in line["problem"]

    async def test_second_node_by_mistake_says_so_and_does_no_harm_to_the_calls_of_the_first(
        self, pbx: Asterisk, centre: CallCentre, node: Node
    ) -> None:
        caller = await centre.caller.call(NUMBER_LINE)
        await Ear(caller).speech_begins(caller.answered_at or 0.0)
        ended = await serve_in_vain(pbx, node.process.folder, SETTINGS, http_port=node.process.http_port)
        assert ended.status == 75
        [message] = ended.messages
        assert f"[http] port = {node.process.http_port}" in message
        assert "Traceback" not in ended.output
        await caller.press("471508")
        await caller.wait_ended(10.0)
        assert agent_heard(caller, "You said 4 7 1 5 0 8.").clearly
        record = (await node.ended_records())[-1]
        assert record.end is not None
        assert record.end.reason is EndReason.COMPLETED
        assert node.complaints() == []

    async def test_stopped_parley_hands_its_caller_to_a_person_and_ends_well(
        self, centre: CallCentre, node: Node
    ) -> None:
        caller = await centre.caller.call(NUMBER_LINE)
        await Ear(caller).speech_begins(caller.answered_at or 0.0)
        stopping = asyncio.create_task(node.process.stop())
        await assert_reaches_a_person(centre, caller, 4.0)
        await stopping
        assert node.process.exit_status == 0
        record = (await node.records())[-1]
        assert record.end is not None
        assert (record.end.reason, record.end.transferred_to) == (EndReason.DRAINED, "support")
        assert node.complaints() == []
