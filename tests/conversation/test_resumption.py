"""A call whose process died, taken up by another one: the same record, the same question, nothing asked twice."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from parley.conversation.flow import FlowRun, load_flow
from parley.conversation.record import CallEnd, CallNote, EndReason, Turn
from parley.conversation.resume_point import ResumePoint, Resumption
from tests.conversation.flow.building import small_flow
from tests.conversation.phone_call import PhoneCall, offering, talking
from tests.fakes.call_log import FakeCallLog

FLOW = load_flow(Path(__file__).parents[2] / "flows" / "appointment" / "flow.yaml")
FACTS = {"call_id": "call-1", "ani": "", "dnis": "100", "queue": "support"}
A_MONDAY = date(2026, 3, 2)
PASSED_MS = 60_000


def last_point(log: FakeCallLog) -> ResumePoint:
    """Return where the call can be taken up, as it was committed last."""
    point = log.points[-1]
    assert point is not None
    return point


@asynccontextmanager
async def killed_after(*answers: str) -> AsyncGenerator[FakeCallLog]:
    """Hold a conversation up to the caller's last answer; give the log as a killed process leaves it."""
    script = FlowRun(FLOW, "en", FACTS, A_MONDAY)
    async with talking(script=script, hears=answers) as call:
        for _ in answers:
            await call.until_silent()
            await call.speaks(900, pause_ms=1000)
        yield call.log


@asynccontextmanager
async def taken_up(point: ResumePoint, *hears: str) -> AsyncGenerator[PhoneCall]:
    script = FlowRun.restored(FLOW, point.script)
    async with offering(script=script, hears=hears, resumption=Resumption(point.turn, PASSED_MS)) as call:
        await call.answered()
        yield call


async def test_point_is_committed_with_the_answer_and_with_every_turn() -> None:
    async with killed_after("tuesday please") as log:
        at_answer, after_greeting = log.points
        assert at_answer is not None
        assert after_greeting is not None
        assert (at_answer.turn.number, at_answer.turn.agent_text[:6]) == (0, "Hello,")
        assert (after_greeting.turn.number, after_greeting.turn.caller_text) == (1, "tuesday please")
        assert after_greeting.script.confirmed_value == "2026-03-03"


async def test_farewell_is_no_place_to_take_a_call_up() -> None:
    async with talking(script=FlowRun(small_flow(), "en", FACTS, A_MONDAY), hears=("tuesday",)) as call:
        await call.until_silent()
        await call.speaks(600)
        await call.until_over()
        assert [point is None for point in call.log.points] == [False, True, True]


async def test_agent_apologises_and_goes_on_where_it_was() -> None:
    async with killed_after("tuesday please") as log:
        point = last_point(log)
    async with taken_up(point, "yes") as call:
        await call.until_silent()
        await call.speaks(600, pause_ms=1000)
        assert call.heard[-1].startswith("Sorry, I lost you for a moment. I can offer you an appointment")
        await call.until_silent()
        await call.hang_up()
        assert "Tuesday" in call.heard[-2]


async def test_record_goes_on_with_the_turn_that_was_interrupted() -> None:
    async with killed_after("tuesday please") as log:
        before, point = log.turns, last_point(log)
    async with taken_up(point, "yes") as call:
        await call.until_silent()
        await call.speaks(600, pause_ms=1000)
        end = await call.hang_up()
        await call.session.close(end)
        facts = call.log.facts
    assert [type(fact) for fact in facts] == [CallNote, Turn, Turn, Turn, CallEnd]
    assert facts[0] == CallNote("resumed", PASSED_MS, {"node": "ask_day"})
    turns = [*before, *call.log.turns]
    assert [turn.number for turn in turns] == [0, 1, 2, 3]
    assert [turn.caller_text for turn in turns] == ["", "tuesday please", "", "yes"]
    interrupted, resumed, answered = call.log.turns
    assert interrupted == point.turn
    assert interrupted.agent_heard == ""
    assert resumed.at_ms == PASSED_MS
    assert resumed.timings.response_ms is None
    assert answered.at_ms > PASSED_MS
    assert answered.timings.response_ms is not None
    assert call.log.end is not None
    assert call.log.end.reason is EndReason.CALLER_HUNG_UP


async def test_call_that_is_killed_again_at_once_can_be_taken_up_again() -> None:
    async with killed_after("tuesday please") as log:
        point = last_point(log)
    async with taken_up(point) as call:
        await call.passes(100)
        again = last_point(call.log)
        await call.hang_up()
    assert again.script == point.script
    assert (again.turn.number, again.turn.caller_text, again.turn.at_ms) == (2, "", PASSED_MS)
    async with taken_up(again) as call:
        await call.until_silent()
        await call.hang_up()
        assert [turn.number for turn in call.log.turns] == [2, 3]


async def test_callers_hello_before_the_apology_is_no_answer() -> None:
    async with killed_after("tuesday please") as log:
        point = last_point(log)
    script = FlowRun.restored(FLOW, point.script)
    async with offering(script=script, hears=("yes",), resumption=Resumption(point.turn, PASSED_MS)) as call:
        await call.speaks(300)
        await call.answered()
        await call.until_silent()
        assert call.audio.cleared_at == []
        await call.hang_up()
        assert call.heard[-1].startswith("Sorry, I lost you")
