"""A call's states, tasks and record."""

import asyncio

import pytest

from parley.call_control import HangupCause
from parley.conversation.errors import EngineUnavailable, IllegalTransition
from parley.conversation.flow.step import KeyPlan, Step
from parley.conversation.record import CallEnd, CallNote, CallStart, EndReason, Turn
from parley.conversation.session import CallSession, SessionEnd, SessionState
from parley.conversation.settings import DialogueSettings, Engines
from tests.conversation.phone_call import QUEUE, START, asks, offering, says, talking
from tests.fakes.call_audio import settle
from tests.fakes.call_log import FakeCallLog
from tests.fakes.clock import FakeClock
from tests.fakes.recognizer import FakeRecognizer, Hears
from tests.fakes.script import FakeScript
from tests.fakes.synthesizer import FakeSynthesizer

NEVER_MS = 10**9
IMPATIENT = DialogueSettings(record_wait_ms=0, record_deadline_ms=0)
ENGINES = Engines(FakeRecognizer(), FakeSynthesizer())


class BrokenScript(FakeScript):
    """A script with a fault of its own."""

    def start(self) -> Step:
        """Fail."""
        raise ZeroDivisionError


async def test_call_goes_through_its_states() -> None:
    async with offering(says("I put you through.", QUEUE)) as call:
        states = [call.session.state]
        call.session.answered()
        states.append(call.session.state)
        await call.passes(40)
        states.append(call.session.state)
        end = await call.until_over()
        states.append(call.session.state)
        await call.session.close(end, transferred_to="sales")
        states.append(call.session.state)
        assert states == list(SessionState)


async def test_illegal_transitions_are_refused() -> None:
    async with talking(says("Bye.")) as call:
        with pytest.raises(IllegalTransition, match="talking to answered"):
            call.session.answered()


async def test_greeting_is_prepared_before_the_answer_and_played_after_it() -> None:
    async with offering(asks("Good morning. How are you?")) as call:
        await call.session.prepared()
        await call.passes(500)
        assert call.audio.played == []
        answered_at = call.audio.position
        await call.answered()
        await call.passes(40)
        assert call.audio.played[0].position - answered_at <= 20 * 8


async def test_waiting_for_the_greeting_ends_when_it_cannot_be_spoken() -> None:
    synthesizer = FakeSynthesizer(errors=[EngineUnavailable("gone")])
    async with offering(asks("Good morning."), synthesizer=synthesizer) as call:
        await call.session.prepared()
        assert (await call.until_over()).reason is EndReason.ENGINE_FAILED


async def test_record_is_written_as_the_call_goes_on() -> None:
    steps = (asks("Which day?", node="day", no_input_ms=1000), asks("Which?", node="day"), says("Bye."))
    async with offering(*steps, hears=("tuesday",)) as call:
        assert call.log.facts == [START]
        await call.passes(1200)
        await call.answered()
        assert call.log.facts[1:] == [1200]
        await call.until_silent()
        await call.passes(1020)
        await call.until_silent()
        assert [type(fact) for fact in call.log.facts[2:]] == [CallNote, Turn]
        await call.speaks(600)
        end = await call.until_over()
        await call.session.close(end, recording="2026/11/22/call-1.wav")
        assert [type(fact) for fact in call.log.facts] == [CallStart, int, CallNote, Turn, Turn, Turn, CallEnd]
        assert [(turn.number, turn.node, turn.caller_text) for turn in call.log.turns] == [
            (0, "day", ""),
            (1, "day", ""),
            (2, "day", "tuesday"),
        ]
        assert call.log.turns[2].confidence == 0.9
        assert call.log.end == CallEnd(
            ended_at=call.clock.time(),
            reason=EndReason.COMPLETED,
            outcome="booked",
            intent="appointment",
            slots={"day": "tuesday"},
            recording="2026/11/22/call-1.wav",
        )


async def test_slow_call_log_delays_neither_the_caller_nor_loses_a_turn() -> None:
    clock = FakeClock()
    log = FakeCallLog(clock=clock, delay_ms=900)
    async with talking(asks("Which day?"), says("Fine."), hears=("tuesday",), log=log, clock=clock) as call:
        await call.until_silent()
        await call.speaks(600)
        await call.until_over()
        assert call.log.turns[1].timings.response_ms is not None
        assert call.log.turns[1].timings.response_ms <= 510
        assert len(call.log.turns) == 2


async def test_caller_is_handed_over_although_the_call_log_hangs(caplog: pytest.LogCaptureFixture) -> None:
    log = FakeCallLog(delay_ms=NEVER_MS)
    async with talking(says("I put you through.", QUEUE), log=log, settings=IMPATIENT) as call:
        end = await call.until_over(2000)
        assert end.then == QUEUE
        await call.session.close(end)
        assert log.facts == []
        assert [record.__dict__["lost"] for record in caplog.records if "facts are lost" in record.getMessage()] == [4]


async def test_what_the_call_log_had_no_time_for_is_committed_by_closing() -> None:
    clock = FakeClock()
    log = FakeCallLog(clock=clock, delay_ms=4000)
    settings = DialogueSettings(record_wait_ms=0)
    async with talking(says("Bye."), log=log, clock=clock, settings=settings) as call:
        end = await call.until_over()
        assert log.turns == []
        closing = asyncio.create_task(call.session.close(end))
        await call.audio.advance_until(closing.done)
        assert [type(fact) for fact in log.facts] == [CallStart, int, Turn, CallEnd]


async def test_closing_twice_records_one_end() -> None:
    async with talking(says("Bye.")) as call:
        end = await call.until_over()
        await call.session.close(end)
        facts = list(call.log.facts)
        await call.session.close(end, reason=EndReason.FAILED)
        assert call.log.facts == facts


async def test_session_that_never_ran_is_recorded_as_it_is_closed() -> None:
    log = FakeCallLog()
    session = CallSession(START, FakeScript(says("Bye.")), ENGINES, log=log, clock=FakeClock())
    await session.close(SessionEnd(EndReason.FAILED, None))
    assert [type(fact) for fact in log.facts] == [CallStart, CallEnd]
    assert session.state is SessionState.ENDED


async def test_closing_ends_a_conversation_that_goes_on() -> None:
    async with offering(asks("Which day?")) as call:
        await call.session.close(SessionEnd(EndReason.FAILED, None))
        call.session.answered()
        await settle()
        assert call.running.result().reason is EndReason.DRAINED
        assert call.session.state is SessionState.ENDED
        assert isinstance(call.log.facts[-1], CallEnd)


async def test_cancelled_session_releases_a_call_log_that_hangs() -> None:
    async with talking(asks("Which day?"), log=FakeCallLog(delay_ms=NEVER_MS)) as call:
        await call.until_silent()
        call.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.running
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelled_session_can_be_closed_and_its_record_is_whole() -> None:
    clock = FakeClock()
    log = FakeCallLog(clock=clock, delay_ms=900)
    async with talking(asks("Which day?"), log=log, clock=clock) as call:
        call.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.running
        closing = asyncio.create_task(call.session.close(SessionEnd(EndReason.FAILED, None)))
        await call.audio.advance_until(closing.done)
        assert [type(fact) for fact in log.facts] == [CallStart, int, CallEnd]


async def test_failed_session_can_be_closed() -> None:
    async with offering(asks("Which day?"), script=BrokenScript()) as call:
        with pytest.raises(ExceptionGroup):
            await call.running
        await call.session.close(SessionEnd(EndReason.FAILED, None))
        assert [type(fact) for fact in call.log.facts] == [CallStart, CallEnd]


async def test_call_log_that_fails_does_not_harm_the_call() -> None:
    async with talking(asks("Which day?"), says("Fine."), hears=("tuesday",), log=FakeCallLog(fails=True)) as call:
        await call.until_silent()
        await call.speaks(600)
        end = await call.until_over()
        await call.session.close(end)
        assert call.told == ["tuesday"]
        assert end.reason is EndReason.COMPLETED


async def test_call_runner_may_know_better_why_the_call_ended() -> None:
    async with talking(says("Bye.")) as call:
        end = await call.until_over()
        await call.session.close(end, reason=EndReason.FAILED, hangup_cause=HangupCause.TEMPORARY_FAILURE)
        assert call.log.end is not None
        assert (call.log.end.reason, call.log.end.hangup_cause) == (EndReason.FAILED, 41)


# --- hang-up at every moment (offering() asserts that nothing is left running) ------------------------------


async def test_caller_hangs_up_before_the_answer() -> None:
    async with offering(asks("Good morning.")) as call:
        end = await call.hang_up()
        assert (end.reason, end.hangup_cause) == (EndReason.CALLER_HUNG_UP, HangupCause.NORMAL_CLEARING)
        call.session.answered()
        assert call.session.state is SessionState.HANDING_OVER


async def test_caller_hangs_up_before_the_greeting_is_synthesised() -> None:
    synthesizer = FakeSynthesizer(hangs=True)
    async with offering(asks("Good morning."), synthesizer=synthesizer) as call:
        await call.hang_up()
        await settle()
        assert synthesizer.open == 0


async def test_caller_hangs_up_while_the_agent_speaks() -> None:
    async with talking(asks("One two three four five six seven eight.")) as call:
        await call.passes(900)
        end = await call.hang_up()
        assert end.reason is EndReason.CALLER_HUNG_UP
        assert call.log.turns[0].agent_heard == "One two three four"


async def test_caller_hangs_up_while_speaking() -> None:
    async with talking(asks("Which day?")) as call:
        await call.until_silent()
        await call.speaks(400)
        assert call.recognizer.open == 1
        await call.hang_up()
        assert call.recognizer.finished == 0


async def test_caller_hangs_up_while_the_transcript_is_awaited() -> None:
    async with talking(asks("Which day?"), hears=(Hears(hangs=True),)) as call:
        await call.until_silent()
        await call.speaks(400, pause_ms=600)
        assert call.recognizer.open == 1
        await call.hang_up()


async def test_caller_hangs_up_in_the_middle_of_a_key_entry() -> None:
    async with talking(asks("Your number?", keys=KeyPlan(max_digits=4))) as call:
        await call.until_silent()
        call.session.press("1")
        await call.passes(40)
        await call.hang_up()
        assert call.told == []


async def test_caller_hangs_up_during_the_farewell() -> None:
    async with talking(says("Thank you for calling us.")) as call:
        await call.passes(300)
        end = await call.hang_up()
        assert (end.reason, end.then) == (EndReason.CALLER_HUNG_UP, None)


async def test_cancelling_the_session_releases_everything() -> None:
    async with talking(asks("Which day?")) as call:
        await call.until_silent()
        await call.speaks(400)
        call.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.running
        await call.session.prepared()


async def test_draining_ends_the_conversation_at_once() -> None:
    async with talking(asks("One two three four five six seven eight.")) as call:
        await call.passes(900)
        call.session.drain()
        await settle()
        end = call.running.result()
        assert (end.reason, end.then) == (EndReason.DRAINED, None)
        assert call.silent
        assert call.log.turns[0].agent_heard == "One two three four"


async def test_caller_who_says_hello_before_the_greeting_gets_the_whole_greeting() -> None:
    clock = FakeClock()
    synthesizer = FakeSynthesizer(clock=clock, delay_ms=600)
    async with talking(asks("Good morning."), hears=("hello",), synthesizer=synthesizer, clock=clock) as call:
        await call.speaks(400)
        await call.audio.advance_until(lambda: not call.silent)
        await call.until_silent()
        assert call.told == []
        await call.hang_up()
        assert call.heard == ["Good morning."]


async def test_keys_before_the_conversation_are_ignored() -> None:
    async with offering(asks("Which?", keys=KeyPlan())) as call:
        call.session.press("1")
        await call.answered()
        await call.until_silent()
        assert call.told == []
