"""Calls of a process that died, taken up by the next one: which, how, and what becomes of the others."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from parley.app.recordings import recording_path
from parley.app.resume import ResumedCall, claim_calls, give_back, prepare
from parley.app.settings import Settings, load_settings
from parley.call_control import LegGone, LegId, PbxUnavailable
from parley.conversation.flow.loader import load_flow_text
from parley.conversation.flow.run import FlowRun
from parley.conversation.record import CallNote, CallStart, EndReason, Turn
from parley.conversation.resume_point import ResumePoint
from parley.store import InterruptedCall
from tests.app.calls import LIMIT_S, running_node
from tests.app.test_switchboard import QUESTION
from tests.fakes.call_control import FakeCallControl
from tests.support.udp_ports import port_before_a_taken_one

START = CallStart(
    call_id="20260302-090000-0a1b2c3d",
    leg_id="the-leg",
    agent="reception",
    flow="question",
    language="en",
    direction="inbound",
    ani="+15550100",
    dnis="100",
    started_at=1_772_442_000.0,
    node="parley",
)
LEG = LegId("the-leg")
GREETING = Turn(number=0, node="ask", at_ms=0, agent_text="Are you sure?")
FLOW = load_flow_text(QUESTION)


def interrupted(start: CallStart = START, resumed: int = 0, agent: str = "reception") -> InterruptedCall:
    """Return a call that was killed while its greeting was spoken."""
    script = FlowRun(FLOW, "en", {"call_id": start.call_id}, date(2026, 3, 2))
    script.start()
    assert script.state is not None
    return InterruptedCall(replace(start, agent=agent), ResumePoint(script.state, GREETING), resumed)


def pbx_with(*legs: str, answered: bool = True) -> FakeCallControl:
    """Return a PBX that holds these legs for us; another process was offered them."""
    control = FakeCallControl()
    for leg in legs:
        control.caller_arrives("agent=reception", leg_id=leg, already_answered=answered, left_behind=True)
    return control


def settings_in(folder: Path) -> Settings:
    (folder / "parley.toml").write_text('[agents.reception]\nflow = "question"\nfallback_queue = "support"\n')
    return load_settings(folder / "parley.toml")


async def prepared(folder: Path, call: InterruptedCall) -> list[ResumedCall]:
    found = await claim_calls(pbx_with("the-leg"), [call])
    return prepare(found, settings_in(folder), {"reception": FLOW})


async def until(condition: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> None:
    """Wait until the condition holds. meanwhile: done before each look."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            meanwhile()
            await asyncio.sleep(0.02)


async def test_leg_is_claimed_audio_connected_and_the_question_asked_again(tmp_path: Path) -> None:
    control = pbx_with("the-leg")
    async with running_node(tmp_path, QUESTION, control=control, interrupted=[interrupted()]) as node:
        record = control.record(LEG)
        assert record.claimed
        await until(lambda: bool(node.log.turns))
        assert node.log.turns == [GREETING]
        assert record.audio is not None
        assert not record.answered_by_us
        await until(lambda: record.gone, meanwhile=lambda: control.presses(LEG, "1"))
        await node.until_gone(LEG)
    assert record.variables_set["PARLEY_SLOT_SURE"] == "yes"
    assert [turn.number for turn in node.log.turns] == [0, 1, 2]
    assert node.log.turns[1].agent_text == "Sorry, I lost you for a moment. Are you sure?"
    assert node.log.turns[1].at_ms > GREETING.at_ms
    assert isinstance(node.log.facts[0], CallNote), "the call was not started, nor answered, again"
    assert node.log.end is not None
    assert node.log.end.reason is EndReason.COMPLETED


async def test_node_that_starts_goes_on_with_old_calls_and_takes_no_new_ones(tmp_path: Path) -> None:
    control = pbx_with("the-leg")
    async with running_node(tmp_path, QUESTION, control=control, interrupted=[interrupted()], is_open=False) as node:
        new = control.caller_arrives("agent=reception")
        await until(lambda: control.record(new.id).gone)
        assert control.record(new.id).variables_set["PARLEY_STATUS"] == "BUSY"
        assert node.switchboard.active_calls == 1
        node.switchboard.open()
        later = control.caller_arrives("agent=reception")
        await node.until_answered(later.id)


async def test_caller_without_a_record_is_given_back(tmp_path: Path) -> None:
    control = pbx_with("the-leg", "stranger")
    async with running_node(tmp_path, QUESTION, control=control, interrupted=[interrupted()]) as node:
        stranger, ours = control.record(LegId("stranger")), control.record(LEG)
        await until(lambda: stranger.gone)
        assert stranger.variables_set == {"PARLEY_STATUS": "FAILED", "PARLEY_ERROR": "Parley was restarted"}
        assert not ours.gone
        assert node.switchboard.active_calls == 1


@pytest.mark.parametrize(
    ("control", "call"),
    [
        (pbx_with(), interrupted()),
        (pbx_with("other"), interrupted()),
        (pbx_with("the-leg", answered=False), interrupted()),
        (pbx_with("the-leg"), replace(interrupted(), point=None)),
    ],
    ids=["leg gone", "another leg", "not answered yet", "nothing kept"],
)
async def test_call_that_cannot_be_taken_up_is_not_claimed(control: FakeCallControl, call: InterruptedCall) -> None:
    assert await claim_calls(control, [call]) == []
    assert not any(record.claimed for record in control.records.values())


async def test_leg_that_leaves_while_it_is_claimed_is_passed_over() -> None:
    control = pbx_with("the-leg")
    control.refuse("claim", LegGone("gone"))
    assert await claim_calls(control, [interrupted()]) == []


async def test_leg_that_came_twice_belongs_to_its_last_call() -> None:
    again = interrupted(replace(START, call_id="20260302-091500-ffffffff", started_at=START.started_at + 900))
    [found] = await claim_calls(pbx_with("the-leg"), [interrupted(), again])
    assert found.call == again


async def test_call_of_an_agent_that_is_gone_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert await prepared(tmp_path, interrupted(agent="night")) == []
    assert "no agent 'night' any more" in caplog.records[-1].__dict__["problem"]


async def test_call_whose_question_is_gone_from_the_flow_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = await claim_calls(pbx_with("the-leg"), [interrupted()])
    changed = load_flow_text(
        QUESTION.replace("ask:\n    ask", "really:\n    ask").replace("start: ask", "start: really")
    )
    assert prepare(found, settings_in(tmp_path), {"reception": changed}) == []
    assert "no question 'ask'" in caplog.records[-1].__dict__["problem"]


async def test_rest_of_the_recording_gets_a_name_of_its_own(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    first = recording_path(settings, START)
    first.parent.mkdir(parents=True)
    first.touch()
    [call] = await prepared(tmp_path, interrupted())
    assert call.recordings == (first,)
    assert call.recording.name == "20260302-090000-0a1b2c3d.2.wav"
    [again] = await prepared(tmp_path, interrupted(resumed=1))
    assert again.recordings == (first,), "the second process has recorded nothing"
    assert again.recording.name == "20260302-090000-0a1b2c3d.3.wav"


async def test_both_recordings_are_named_in_the_record(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    first = recording_path(settings, START)
    first.parent.mkdir(parents=True)
    first.touch()
    control = pbx_with("the-leg")
    async with running_node(
        tmp_path, QUESTION, "[recording]\nenabled = true\n", control=control, interrupted=[interrupted()]
    ) as node:
        await until(lambda: control.record(LEG).gone, meanwhile=lambda: control.presses(LEG, "1"))
        await node.until_gone(LEG)
    assert node.log.end is not None
    earlier, rest = map(Path, node.log.end.recording.splitlines())
    assert earlier == first
    assert rest == first.with_name(f"{START.call_id}.2.wav")
    assert rest.stat().st_size > 44


async def test_resumed_call_without_a_port_for_its_audio_goes_to_the_fallback_and_its_record_is_closed(
    tmp_path: Path,
) -> None:
    with port_before_a_taken_one() as first:  # for the engine; the call's own is not to be had
        ports = f"[media]\nfirst_port = {first}\nlast_port = {first + 1}\nport_per_call = true\n"
        settings = f"{ports}[limits]\nmax_calls = 1\n"
        control = pbx_with("the-leg")
        async with running_node(tmp_path, QUESTION, settings, control=control, interrupted=[interrupted()]) as node:
            record = await node.until_gone(LEG)
    assert record.variables_set["PARLEY_STATUS"] == "FAILED"
    assert node.log.end is not None
    assert (node.log.end.reason, node.log.end.transferred_to) == (EndReason.FAILED, "support")


async def test_time_that_passed_is_never_less_than_what_was_recorded(tmp_path: Path) -> None:
    [call] = await prepared(tmp_path, interrupted())
    assert call.resumption(START.started_at + 12.5).passed_ms == 12_500
    late = replace(call, point=replace(call.point, turn=replace(GREETING, at_ms=9000)))
    assert late.resumption(START.started_at - 3600).passed_ms == 9000


async def test_node_that_cannot_start_gives_claimed_callers_back() -> None:
    control = pbx_with("the-leg")
    found = await claim_calls(control, [interrupted()])
    await give_back(control, found)
    assert control.record(found[0].leg.id).variables_set["PARLEY_STATUS"] == "FAILED"
    control.refuse("continue_in_dialplan", PbxUnavailable("closed"))
    await give_back(control, found)
