"""The subroutine `parley-transfer` and its queue members on a real Asterisk, with PARLEY_* set by hand."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from tests.dialplans.call_centre import SUMMARY_WORDS, CallCentre, talk
from tests.support.asterisk import Asterisk
from tests.support.hearing import heard, speech_segments
from tests.support.recording import tone
from tests.support.sip_phone import PhoneCall
from tests.support.speech import caller_says

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

HOSTILE_NAMES = [
    "Miller, Ann (VIP)",
    'a "quoted" \\ name',
    "a,b|c&d;e",
    "${SHELL(touch hostile)}$[1/0]${EVAL(${EXTEN})}",
    "x)],Hangup(17),,",
    "1] ? hangup : [1",
]


def summary() -> bytes:
    return caller_says(SUMMARY_WORDS, "slt")


async def decides(agent: PhoneCall, key: str) -> None:
    """Let the agent listen for a moment, press the key, and wait for as long as the bridge takes."""
    await asyncio.sleep(0.3)
    await agent.press(key)
    await asyncio.sleep(0.15)


async def whispered(agent: PhoneCall) -> None:
    """Wait until the agent has heard the whole summary."""
    assert agent.answered_at is not None
    until_s = agent.answered_at + len(summary()) / 16000 + 0.4
    await asyncio.sleep(max(0.0, until_s - time.monotonic()))


async def test_agent_hears_the_summary_first_and_the_caller_only_music(pbx: Asterisk, centre: CallCentre) -> None:
    caller = await centre.caller.call("801")
    agent = await centre.offered_and_answered()
    await whispered(agent)
    by_agent = heard(agent.heard.samples(agent.answered_at), summary())
    by_caller = heard(caller.heard.samples(agent.answered_at), summary())
    assert by_agent.clearly, by_agent
    assert by_caller.not_at_all, by_caller
    music = speech_segments(caller.heard.samples(agent.answered_at, time.monotonic() - 0.5))
    assert sum(segment.length_s for segment in music) > 1.0
    from_caller, from_agent = await talk(caller, agent)
    assert from_caller.clearly
    assert from_agent.clearly


async def test_agent_who_presses_one_takes_the_call_before_the_summary_ends(pbx: Asterisk, centre: CallCentre) -> None:
    caller = await centre.caller.call("801")
    agent = await centre.offered_and_answered()
    await decides(agent, "1")
    from_caller, from_agent = await talk(caller, agent)
    assert from_caller.clearly
    assert from_agent.clearly
    assert heard(agent.heard.samples(agent.answered_at), summary()).correlation < 0.5


async def test_agent_who_presses_two_sends_the_caller_to_the_next_agent(pbx: Asterisk, centre: CallCentre) -> None:
    caller = await centre.caller.call("801")
    first = await centre.offered_and_answered()
    await decides(first, "2")
    second = await centre.offered_and_answered()
    assert second.remote_number == first.remote_number == "+15551234"
    assert second.dialog.local.user != first.dialog.local.user
    await first.wait_ended(2.0)
    await decides(second, "1")
    from_caller, _ = await talk(caller, second)
    assert from_caller.clearly


async def test_agent_who_hangs_up_during_the_summary_has_not_taken_the_call(pbx: Asterisk, centre: CallCentre) -> None:
    before = len(pbx.queue_log())
    caller = await centre.caller.call("801")
    first = await centre.offered_and_answered()
    await asyncio.sleep(0.5)
    await first.hangup()
    second = await centre.offered_and_answered()
    assert not caller.is_ended
    assert not any("|CONNECT|" in line for line in pbx.queue_log()[before:])
    await second.hangup()


async def test_caller_who_hangs_up_during_the_summary_frees_the_agent(pbx: Asterisk, centre: CallCentre) -> None:
    caller = await centre.caller.call("801")
    agent = await centre.offered_and_answered()
    await asyncio.sleep(0.3)
    await caller.hangup()
    await agent.wait_ended(8.0)


async def test_agent_must_press_one_where_the_site_says_so(pbx: Asterisk, centre: CallCentre) -> None:
    await pbx.cli("dialplan set global PARLEY_AGENT_CONFIRM yes")
    try:
        caller = await centre.caller.call("801")
        agent = await centre.offered_and_answered()
        await whispered(agent)
        began_s = time.monotonic()
        caller.play(tone(800, 0.8))
        await asyncio.sleep(1.0)
        assert not speech_segments(agent.heard.samples(began_s, began_s + 1.0))
        await decides(agent, "1")
        from_caller, _ = await talk(caller, agent)
        assert from_caller.clearly
    finally:
        await pbx.cli("dialplan set global PARLEY_AGENT_CONFIRM no")


async def test_missing_whisper_connects_the_agent_at_once(pbx: Asterisk, centre: CallCentre) -> None:
    caller = await centre.caller.call("802")
    agent = await centre.offered_and_answered()
    from_caller, from_agent = await talk(caller, agent)
    assert from_caller.clearly
    assert from_agent.clearly


async def test_whisper_with_a_comma_in_its_name_is_not_read_as_arguments(pbx: Asterisk, centre: CallCentre) -> None:
    before = len(pbx.complaints())
    caller = await centre.caller.call("809")
    agent = await centre.offered_and_answered()
    from_caller, _ = await talk(caller, agent)
    assert from_caller.clearly
    assert pbx.complaints()[before:] == []


async def test_unknown_destination_ends_in_the_site_s_queue(pbx: Asterisk, centre: CallCentre) -> None:
    await centre.caller.call("803")
    agent = await centre.offered()
    assert any("|support|" in line and "|ENTERQUEUE|" in line for line in pbx.queue_log()[-2:])
    agent.reject()


@pytest.mark.parametrize("number", ["804", "805"], ids=["argument of Queue()", "membergosub in queues.conf"])
async def test_phone_that_is_itself_a_member_hears_the_summary_before_the_bridge(
    pbx: Asterisk, centre: CallCentre, number: str
) -> None:
    caller = await centre.caller.call(number)
    agent = await centre.offered_and_answered()
    await whispered(agent)
    by_agent = heard(agent.heard.samples(agent.answered_at), summary())
    assert by_agent.clearly, by_agent
    assert heard(caller.heard.samples(agent.answered_at), summary()).not_at_all
    from_caller, from_agent = await talk(caller, agent)
    assert from_caller.clearly
    assert from_agent.clearly


async def test_dialplan_goes_on_with_a_sentence_when_no_agent_answers_in_time(
    pbx: Asterisk, centre: CallCentre
) -> None:
    caller = await centre.caller.call("808")
    agent = await centre.offered()
    await agent.wait_ended(4.0)
    asked_s = time.monotonic()
    await caller.wait_ended(8.0)
    assert sum(segment.length_s for segment in speech_segments(caller.heard.samples(asked_s))) > 0.8


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("number", ["801", "806"], ids=["as summary", "as whisper and queue"])
async def test_hostile_caller_name_is_shown_as_it_is_and_does_nothing(
    pbx: Asterisk, centre: CallCentre, name: str, number: str
) -> None:
    before = len(pbx.complaints())
    caller = centre.caller.dial(number, name=name)
    await caller.wait_answered()
    agent = await centre.offered()
    # Asterisk takes the quoting of a display name for a part of it.
    assert agent.remote_name in (name, re.sub(r'(["\\])', r"\\\1", name))
    assert not caller.is_ended
    assert pbx.complaints()[before:] == []
    assert not (pbx.folder / "hostile").exists()
    agent.reject()


async def test_transfer_to_a_number_dials_only_its_digits_in_the_site_s_context(
    pbx: Asterisk, centre: CallCentre
) -> None:
    caller = await centre.caller.call("810")
    outside = await centre.agents[1].next_call(8.0)
    await outside.answer()
    from_caller, from_outside = await talk(caller, outside)
    assert from_caller.clearly
    assert from_outside.clearly
    assert len(centre.agents[0].calls) == 0 or centre.agents[0].calls[-1].is_ended


async def test_transfer_to_a_number_without_a_context_for_numbers_ends_in_the_queue(
    pbx: Asterisk, centre: CallCentre
) -> None:
    await centre.caller.call("811")
    agent = await centre.offered()
    assert not agent.is_ended
