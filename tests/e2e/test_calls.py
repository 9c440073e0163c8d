"""Whole calls of every kind, judged by what the phones heard and what was recorded."""

from __future__ import annotations

import asyncio
import json
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from demo.ear import Ear
from parley.conversation.record import EndReason
from tests.dialplans.call_centre import CallCentre, open_call_centre, talk
from tests.e2e.site import (
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
from tests.support.hearing import heard, level_dbfs, silence_after
from tests.support.phone_call import PhoneCall
from tests.support.recording import RATE_HZ
from tests.support.speech import caller_says, require_speech

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

LINES_LINE = "822"
MUSIC_DBFS = -50.0
YIELD_S = 0.4
"""From a key's first packet to the agent's silence at the phone."""
HOSTILE_NAME = 'Jane "J", <b> ${SHELL(id)} $[1/0] ${HANGUPCAUSE} %s {number} ; ' + "A" * 5000
"""As it comes in From; no carrier is obliged to shorten it."""
NAME_WITH_LINES = 'Jane\r\nX-Evil: yes, "no" ${SHELL(id)}'
"""As the dialplan may set it, from a database for instance; SIP cannot carry it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asterisk]:
    """One Asterisk for the tests of this module; at 822 the dialplan gives the caller a name with line breaks."""
    require_speech()
    name = tmp_path_factory.mktemp("names") / "hostile"
    name.write_text(NAME_WITH_LINES, newline="")
    dialplan = f"exten => {LINES_LINE},1,Set(CALLERID(name)=${{FILE({name},0,80)}})\n same => n,Goto({NUMBER_LINE},1)\n"
    async with Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN + dialplan}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(pbx: Asterisk, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    """One Parley for the tests of this module: a call at a time, recorded."""
    more = "[limits]\nmax_calls = 1\n[recording]\nenabled = true\n"
    async with serving(pbx, tmp_path_factory.mktemp("parley"), SETTINGS + RECEPTION + more) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def centre(pbx: Asterisk, node: Node) -> AsyncIterator[CallCentre]:
    """A caller and two queue agents; afterwards every call is over, and Asterisk has no channel and no bridge left."""
    node.log.clear()
    async with open_call_centre(pbx) as opened:
        yield opened
        await opened.hang_up()
        await pbx.wait_until_idle()
        await node.ended_records()
        assert node.complaints() == []


async def press_after_prompts(call: PhoneCall, *entries: str) -> None:
    """Press the keys of each entry as soon as the agent begins to ask for them."""
    ear, since_s = Ear(call), call.answered_at or 0.0
    for keys in entries:
        await ear.speech_begins(since_s)
        await call.press(keys)
        # By now the agent has yielded to the keys; what is heard from here on is the next prompt.
        await asyncio.sleep(YIELD_S)
        since_s = time.monotonic()


async def test_caller_with_nothing_but_keys_books_an_appointment(centre: CallCentre, node: Node) -> None:
    caller = await centre.caller.call(MAIN_NUMBER)
    await press_after_prompts(caller, "4#", "1", "471508", "1", "2")
    await caller.wait_ended(15.0)
    record = (await node.ended_records())[-1]
    assert agent_heard(caller, "Thank you for calling Riverside Clinic.").clearly
    assert record.end is not None
    assert (record.end.reason, record.end.outcome) == (EndReason.COMPLETED, "booked")
    assert record.end.slots["member"] == "471508"
    assert [turn.caller_keys for turn in record.turns] == ["", "4", "1", "471508", "1", "2"]
    assert not any(turn.caller_text for turn in record.turns)


async def test_silent_caller_is_asked_three_times_and_handed_to_a_person(centre: CallCentre, node: Node) -> None:
    caller = await centre.caller.call(NUMBER_LINE)
    agent = await centre.offered(40.0)
    # The music begins softly.
    await asyncio.sleep(1.5)
    await agent.answer()
    last = agent.answered_at or 0.0
    assert level_dbfs(caller.heard.samples(last - 0.5, last)) > MUSIC_DBFS
    record = (await node.ended_records())[-1]
    assert record.end is not None
    assert (record.end.reason, record.end.transferred_to) == (EndReason.NOT_UNDERSTOOD, "support")
    assert [note.kind for note in record.notes] == ["silence"] * 3
    assert len(record.turns) == 4
    for turn in record.turns:
        assert turn.agent_heard == turn.agent_text
        assert agent_heard(caller, turn.agent_text.split(". ")[0]).clearly, turn.agent_text


async def test_caller_who_hangs_up_in_mid_sentence_leaves_nothing_behind(
    pbx: Asterisk, centre: CallCentre, node: Node
) -> None:
    caller = await centre.caller.call(MAIN_NUMBER)
    began_s = await Ear(caller).speech_begins(caller.answered_at or 0.0)
    await asyncio.sleep(began_s + 3.0 - time.monotonic())
    await caller.hangup()
    record = (await node.ended_records())[-1]
    await pbx.wait_until_idle(2.0)
    assert record.end is not None
    assert record.end.reason is EndReason.CALLER_HUNG_UP
    [greeting] = record.turns
    assert greeting.agent_heard.startswith("Hello, this is Riverside Clinic.")
    assert greeting.agent_text.startswith(greeting.agent_heard)
    assert "Which day" not in greeting.agent_heard


async def test_key_pressed_during_a_prompt_silences_the_agent_at_once(centre: CallCentre, node: Node) -> None:
    caller = await centre.caller.call(MAIN_NUMBER)
    ear = Ear(caller)
    began_s = await ear.speech_begins(caller.answered_at or 0.0)
    await asyncio.sleep(began_s + 1.0 - time.monotonic())
    pressed_s = time.monotonic()
    await caller.press("4#")
    await ear.speech_begins(time.monotonic() + YIELD_S)
    # The next prompt may begin less than 200 ms after the last key.
    assert silence_after(caller.heard, pressed_s, least_ms=100) - pressed_s < YIELD_S
    await asyncio.sleep(2.0)
    await caller.hangup()
    record = (await node.ended_records())[-1]
    answer = record.turns[1]
    assert (answer.caller_keys, answer.interrupted_agent) == ("4", True)
    begun = agent_says(answer.agent_text.split(". ")[0] + ".")[: round(1.5 * RATE_HZ) * 2]
    assert heard(caller.heard.samples(), begun).clearly


@pytest.mark.parametrize(("number", "name"), [(NUMBER_LINE, HOSTILE_NAME), (LINES_LINE, "")])
async def test_hostile_caller_name_is_served_and_does_no_harm(
    pbx: Asterisk, centre: CallCentre, node: Node, number: str, name: str
) -> None:
    caller = await centre.caller.call(number, name=name)
    await press_after_prompts(caller, "471508")
    await caller.wait_ended(15.0)
    record = (await node.ended_records())[-1]
    assert agent_heard(caller, READ_BACK).clearly
    assert record.end is not None
    assert record.end.reason is EndReason.COMPLETED
    assert record.start.ani == centre.caller.user
    assert "Jane" not in repr(record)
    # Nothing of it was evaluated, and none of it broke out of its line of Parley's log.
    assert any("${SHELL(id)}" in line for line in pbx.log())
    assert not any("uid=" in line for line in pbx.log())
    lines = (node.process.folder / "parley.log").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)


async def test_caller_beyond_the_limit_goes_straight_to_a_person(pbx: Asterisk, centre: CallCentre, node: Node) -> None:
    first = await centre.caller.call(NUMBER_LINE)
    await Ear(first).speech_begins(first.answered_at or 0.0)
    second = centre.caller.dial(NUMBER_LINE)
    agent = await centre.offered()
    assert agent.created_at - second.created_at < 1.0
    await agent.answer()
    by_agent, by_caller = await talk(second, agent)
    assert by_agent.clearly
    assert by_caller.clearly
    assert not agent_heard(second, QUESTION).clearly
    [line] = await node.logged("call not taken up")
    assert (line["why"], "limits.max_calls = 1" in line["problem"]) == ("overload", True)


async def test_recording_has_the_caller_left_and_the_agent_right(centre: CallCentre, node: Node) -> None:
    caller = await centre.caller.call(NUMBER_LINE)
    await Ear(caller).speech_ends(caller.answered_at or 0.0, quiet_s=0.5)
    words = caller_says(NUMBER_WORDS)
    await caller.say(words)
    await caller.wait_ended(15.0)
    assert agent_heard(caller, READ_BACK).clearly
    record = (await node.ended_records())[-1]
    assert record.end is not None
    left, right = channels_of(Path(record.end.recording))
    assert heard(left, words).clearly
    assert heard(right, words).not_at_all
    asked = caller_says(QUESTION, "slt")
    assert heard(right, asked).clearly
    assert heard(left, asked).not_at_all


def channels_of(recording: Path) -> tuple[bytes, bytes]:
    """Return the left and the right channel of a stereo WAV file at 8 kHz."""
    with wave.open(str(recording)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    return both[:, 0].tobytes(), both[:, 1].tobytes()
