"""Callers who hold the agent, change codecs, transfer it, or are moved: judged by what the phones heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from demo.ear import Ear
from parley.conversation.record import EndReason
from tests.dialplans.call_centre import CallCentre, open_call_centre, talk
from tests.e2e.site import (
    DESKS,
    DIALPLAN,
    MAIN_NUMBER,
    NUMBER_LINE,
    NUMBER_WORDS,
    QUESTION,
    READ_BACK,
    RECEPTION,
    SETTINGS,
    Node,
    agent_heard,
    agent_says,
    serving,
)
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.hearing import heard, level_dbfs
from tests.support.phone_codec import ALAW, ULAW
from tests.support.speech import caller_says, require_speech

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

OTHER_WORDS = "nine nine nine nine nine nine"
HOLD_S = 6.0
"""Longer than the flow waits for an answer (1.5 s) twice."""
SILENCE_DBFS = -60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    require_speech()
    # 830: the first phone inside.
    dialplan = DIALPLAN + "exten => 830,1,Dial(PJSIP/agent1)\n" + DESKS
    operators = "load = res_clioriginate.so\n"
    additions = {"extensions.conf": dialplan, "modules.conf": operators}
    async with Asterisk(program=require_asterisk(), additions=additions) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(pbx: Asterisk, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    async with serving(pbx, tmp_path_factory.mktemp("parley"), SETTINGS + RECEPTION) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def centre(pbx: Asterisk, node: Node) -> AsyncIterator[CallCentre]:
    """A caller and two phones inside; afterwards every call is over, and Asterisk has no channel and no bridge left."""
    node.log.clear()
    async with open_call_centre(pbx) as opened:
        yield opened
        await opened.hang_up()
        await pbx.wait_until_idle()
        await node.ended_records()
        assert (await pbx.cli("bridge show all")).splitlines()[1:] == []
        assert node.complaints() == []


async def test_caller_who_comes_back_from_hold_is_asked_again_and_the_hold_is_no_answer(
    centre: CallCentre, node: Node
) -> None:
    caller = await centre.caller.call(NUMBER_LINE)
    await Ear(caller).speech_ends(caller.answered_at or 0.0, quiet_s=0.3)
    await caller.hold()
    held_s = time.monotonic()
    await caller.say(caller_says(OTHER_WORDS))
    await asyncio.sleep(held_s + HOLD_S - time.monotonic())
    assert level_dbfs(caller.heard.samples(held_s + 0.2, time.monotonic())) < SILENCE_DBFS
    back_s = time.monotonic()
    await caller.resume()
    await Ear(caller).speech_ends(back_s, quiet_s=0.3)
    assert heard(caller.heard.samples(back_s), agent_says(QUESTION)).clearly
    await caller.say(caller_says(NUMBER_WORDS))
    await caller.wait_ended(15.0)
    assert agent_heard(caller, READ_BACK).clearly
    record = (await node.ended_records())[-1]
    assert [note.kind for note in record.notes] == ["held", "retrieved"]
    assert record.end is not None
    assert record.end.reason is EndReason.COMPLETED


async def test_customer_whom_a_person_connects_with_the_agent_is_served_and_reaches_the_queue(
    centre: CallCentre, node: Node
) -> None:
    # The person at the first phone has the customer at the line, asks the agent, and connects the two.
    person, customer_phone = centre.agents[0], centre.caller
    customer = customer_phone.dial("830")
    with_customer = await person.next_call()
    await with_customer.answer()
    await customer.wait_answered()
    await with_customer.hold()
    with_agent = await person.call(MAIN_NUMBER)
    await Ear(with_agent).speech_begins(with_agent.answered_at or 0.0)
    moved_s = time.monotonic()
    with_customer.connect_with(with_agent)
    await with_agent.wait_ended()
    await with_customer.hangup()
    await Ear(customer).speech_ends(moved_s, quiet_s=0.5)
    assert heard(customer.heard.samples(moved_s), agent_says("Which day would you like to come in?")).clearly
    await customer.press("0")
    queue_agent = await centre.offered(15.0)
    await queue_agent.answer()
    await asyncio.sleep(6.0)
    by_agent, by_customer = await talk(customer, queue_agent)
    assert by_agent.clearly
    assert by_customer.clearly
    record = (await node.ended_records())[-1]
    assert "party_replaced" in [note.kind for note in record.notes]
    assert record.end is not None
    assert (record.end.reason, record.end.transferred_to) == (EndReason.TRANSFERRED, "support")


async def test_caller_whom_an_operator_redirects_is_let_go_and_stays_where_he_was_sent(
    pbx: Asterisk, centre: CallCentre, node: Node
) -> None:
    caller = await centre.caller.call(MAIN_NUMBER)
    await Ear(caller).speech_begins(caller.answered_at or 0.0)
    [name] = [name for name in await pbx.channels() if name.startswith("PJSIP/trunk")]
    assert "successfully redirected" in await pbx.cli(f"channel redirect {name} from-trunk,900,1")
    record = (await node.ended_records())[-1]
    assert record.end is not None
    assert record.end.reason is EndReason.TAKEN_AWAY
    # Longer than the dead-man timer, in the dialplan's Echo().
    await asyncio.sleep(11.0)
    words, said_s = caller_says(NUMBER_WORDS), time.monotonic()
    await caller.say(words)
    await asyncio.sleep(0.2)
    assert heard(caller.heard.samples(said_s), words).clearly


async def test_caller_whose_phone_changes_its_codec_hears_and_is_understood_all_the_time(
    centre: CallCentre, node: Node
) -> None:
    caller = await centre.caller.call(NUMBER_LINE)
    assert caller.media.codec is ULAW
    await Ear(caller).speech_begins(caller.answered_at or 0.0)
    await asyncio.sleep(0.2)
    await caller.change_codec(ALAW)
    assert caller.media.codec is ALAW
    await Ear(caller).speech_ends(caller.answered_at or 0.0, quiet_s=0.3)
    assert agent_heard(caller, QUESTION).clearly
    saying = caller.play(caller_says(NUMBER_WORDS))
    await asyncio.sleep(1.0)
    await caller.change_codec(ULAW)
    assert caller.media.codec is ULAW
    await saying.finished.wait()
    await caller.wait_ended(15.0)
    assert agent_heard(caller, READ_BACK).clearly
    record = (await node.ended_records())[-1]
    assert list(record.notes) == []
    assert record.end is not None
    assert record.end.reason is EndReason.COMPLETED


async def test_person_to_whom_the_caller_transfers_the_agent_answers_its_question(
    pbx: Asterisk, centre: CallCentre, node: Node
) -> None:
    caller = await centre.caller.call(NUMBER_LINE)
    await Ear(caller).speech_begins(caller.answered_at or 0.0)
    caller.refer("sip:201@127.0.0.1")
    person = await centre.agents[0].next_call()
    await person.answer(ring_s=HOLD_S)
    await Ear(person).speech_ends(person.answered_at or 0.0, quiet_s=0.3)
    assert heard(person.heard.samples(), agent_says(QUESTION)).clearly
    await person.say(caller_says(NUMBER_WORDS))
    await person.wait_ended(15.0)
    assert agent_heard(person, READ_BACK).clearly
    # The caller's channel is gone as well. Asterisk leaves it to the phone that asked to say goodbye, for a minute.
    await pbx.wait_until_idle()
    await caller.hangup()
    record = (await node.ended_records())[-1]
    assert [note.kind for note in record.notes] == ["party_replaced", "held", "retrieved"]
    assert record.end is not None
    assert record.end.reason is EndReason.COMPLETED


async def test_transfer_to_a_place_that_the_site_does_not_allow_costs_the_caller_nothing(
    centre: CallCentre, node: Node
) -> None:
    caller = await centre.caller.call(NUMBER_LINE)
    await Ear(caller).speech_ends(caller.answered_at or 0.0, quiet_s=0.3)
    caller.refer("sip:900@127.0.0.1")
    await caller.say(caller_says(NUMBER_WORDS))
    assert [line for line in caller.transfer_progress if "404" in line]
    await caller.wait_ended(15.0)
    assert agent_heard(caller, READ_BACK).clearly
    record = (await node.ended_records())[-1]
    assert list(record.notes) == []
