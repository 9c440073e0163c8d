"""The subroutine `parley` on a real Asterisk: nodes, their absence, their end."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.dialplans.call_centre import CallCentre, talk
from tests.dialplans.stasis_node import stasis_node
from tests.support.asterisk import Asterisk

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

MAIN_NUMBER = "100"


async def test_caller_reaches_a_queue_agent_when_parley_is_absent(pbx: Asterisk, centre: CallCentre) -> None:
    caller = centre.caller.dial(MAIN_NUMBER)
    agent = await centre.offered_and_answered()
    assert agent.created_at - caller.created_at < 1.0
    by_agent, by_caller = await talk(caller, agent)
    assert by_agent.clearly
    assert by_caller.clearly
    assert any("|CONNECT|" in line for line in pbx.queue_log())


async def test_second_node_takes_the_call_and_gets_the_arguments_unchanged(pbx: Asterisk, centre: CallCentre) -> None:
    async with stasis_node(pbx, "parley-b") as node:
        caller = centre.caller.dial("807")
        taken = await node.next_call()
        assert taken.arguments == ("agent=reception", "language=zh", "greeting=Hello there")
        await node.let_go(taken, {"PARLEY_STATUS": "SERVED"})
        await caller.wait_ended()
    assert "LAST_STATUS=SERVED" in await pbx.cli("dialplan show globals")
    assert caller.final_code == 486


async def test_full_node_passes_the_call_to_the_next(pbx: Asterisk, centre: CallCentre) -> None:
    async with stasis_node(pbx, "parley-a") as full, stasis_node(pbx, "parley-b") as free:
        caller = centre.caller.dial("807")
        await full.let_go(await full.next_call(), {"PARLEY_STATUS": "BUSY"})
        await free.let_go(await free.next_call(), {"PARLEY_STATUS": "SERVED"})
        await caller.wait_ended()
    assert "LAST_STATUS=SERVED" in await pbx.cli("dialplan show globals")


async def test_dialplan_learns_that_every_running_node_is_full(pbx: Asterisk, centre: CallCentre) -> None:
    async with stasis_node(pbx, "parley-a") as full:
        caller = centre.caller.dial("807")
        await full.let_go(await full.next_call(), {"PARLEY_STATUS": "BUSY"})
        await caller.wait_ended()
    assert "LAST_STATUS=BUSY" in await pbx.cli("dialplan show globals")
    assert caller.final_code == 503


async def test_caller_hears_ringing_until_a_node_answers(pbx: Asterisk, centre: CallCentre) -> None:
    async with stasis_node(pbx, "parley-a") as node:
        caller = centre.caller.dial(MAIN_NUMBER)
        taken = await node.next_call()
        await caller.wait_ringing(1.0)
        await node.answer(taken)
        await caller.wait_answered(1.0)
        await node.let_go(taken, {"PARLEY_STATUS": "SERVED"})
        await caller.wait_ended()
        assert not any(agent.calls for agent in centre.agents)


async def test_caller_of_a_node_that_died_reaches_a_queue_agent(pbx: Asterisk, centre: CallCentre) -> None:
    async with stasis_node(pbx, "parley-a") as node:
        caller = centre.caller.dial(MAIN_NUMBER)
        taken = await node.next_call()
        await node.answer(taken)
        await node.set_variable(taken, "TIMEOUT(absolute)", "1")
        await node.leave()
        agent = await centre.offered_and_answered()
        assert 0.5 < agent.created_at - caller.created_at < 3.0
        by_agent, by_caller = await talk(caller, agent)
        assert by_agent.clearly
        assert by_caller.clearly


async def test_node_that_does_not_take_charge_in_time_counts_as_absent(pbx: Asterisk, centre: CallCentre) -> None:
    await pbx.cli("dialplan set global PARLEY_TAKE_WITHIN 1")
    try:
        async with stasis_node(pbx, "parley-a"):
            caller = centre.caller.dial(MAIN_NUMBER)
            agent = await centre.offered_and_answered()
            assert 0.5 < agent.created_at - caller.created_at < 3.0
            # The limit must not end the conversation with the queue agent.
            await asyncio.sleep(1.5)
            assert not caller.is_ended
    finally:
        await pbx.cli("dialplan set global PARLEY_TAKE_WITHIN 10")


async def test_result_of_an_earlier_conversation_is_not_taken_for_this_one(pbx: Asterisk, centre: CallCentre) -> None:
    async with stasis_node(pbx, "parley-a") as node:
        caller = centre.caller.dial("807")
        await node.let_go(await node.next_call(), {})
        await caller.wait_ended()
    assert "LAST_STATUS=SERVED" in await pbx.cli("dialplan show globals")


async def test_examples_name_only_subroutines_and_labels_that_exist(pbx: Asterisk) -> None:
    shown = await pbx.cli("dialplan show")
    examples = [block for block in shown.split("[ Context '") if block.startswith("parley-example-")]
    assert len(examples) >= 6
    for example in examples:
        called = re.findall(r"Gosub\(([\w-]+),", example)
        assert called
        assert all(f"[ Context '{context}'" in shown for context in called), example
        jumps = re.findall(r"\?(\w+)(?::(\w+))?\)", example)
        assert all(f"[{label}]" in example for jump in jumps for label in jump if label), example
