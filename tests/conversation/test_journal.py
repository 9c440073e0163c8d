"""The call's record beside the conversation."""

import asyncio

import pytest

from parley.conversation.journal import QUEUE_SIZE, Journal
from parley.conversation.record import CallEnd, CallNote, EndReason, Turn, TurnMoments
from parley.conversation.resume_point import ResumePoint
from tests.fakes.call_audio import settle
from tests.fakes.call_log import FakeCallLog
from tests.fakes.clock import FakeClock

PATIENCE_S = 5.0
"""Real time, never used up: a test that fails does not hang."""
END = CallEnd(ended_at=1_700_000_009.0, reason=EndReason.COMPLETED)


def note(number: int) -> CallNote:
    return CallNote("silence", at_ms=number)


async def test_facts_are_committed_in_their_order() -> None:
    log = FakeCallLog()
    journal = Journal(log, "call-1")
    journal.noted(note(1))
    journal.call_answered(5)
    journal.noted(note(2))
    assert await journal.flush(PATIENCE_S)
    assert log.facts == [note(1), 5, note(2)]


async def test_log_that_recovers_gets_what_comes_later(caplog: pytest.LogCaptureFixture) -> None:
    log = FakeCallLog(fails=True)
    journal = Journal(log, "call-1")
    journal.noted(note(1))
    assert await journal.flush(PATIENCE_S)
    log.fails = False
    journal.noted(note(2))
    assert await journal.flush(PATIENCE_S)
    assert log.facts == [note(2)]
    assert [record.getMessage() for record in caplog.records] == ["call log did not commit a fact"]


async def test_log_that_is_too_far_behind_loses_the_newest_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    log = FakeCallLog()
    journal = Journal(log, "call-1")
    for number in range(QUEUE_SIZE + 1):
        journal.noted(note(number))
    await journal.close(END, PATIENCE_S)
    assert log.facts == [*(note(number) for number in range(QUEUE_SIZE)), END]
    assert "too far behind" in caplog.text
    assert journal.lost == 1


async def test_nobody_waits_longer_for_a_slow_log_than_asked_and_nothing_is_given_up() -> None:
    clock = FakeClock()
    log = FakeCallLog(delay_ms=4000, clock=clock)
    journal = Journal(log, "call-1")
    journal.noted(note(1))
    assert not await journal.flush(0)
    clock.wind(4000)
    assert await journal.flush(PATIENCE_S)
    assert log.facts == [note(1)]


async def test_nothing_is_left_running_when_no_fact_waits() -> None:
    journal = Journal(FakeCallLog(), "call-1")
    journal.noted(note(1))
    await journal.flush(PATIENCE_S)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_end_is_committed_after_everything_else() -> None:
    clock = FakeClock()
    log = FakeCallLog(delay_ms=4000, clock=clock)
    journal = Journal(log, "call-1")
    journal.noted(note(1))
    journal.noted(note(2))
    closing = asyncio.create_task(journal.close(END, PATIENCE_S))
    for _ in range(3):
        await settle()
        clock.wind(4000)
    await closing
    assert log.facts == [note(1), note(2), END]


async def test_facts_that_are_not_committed_by_the_deadline_are_told_as_lost(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    log = FakeCallLog(delay_ms=4000, clock=clock)
    journal = Journal(log, "call-1")
    journal.noted(note(1))
    journal.noted(note(2))
    await settle()
    clock.wind(4000)
    await settle()
    await journal.close(END, 0)
    await settle()
    assert log.facts == [note(1)]
    assert [(record.getMessage(), record.__dict__["lost"]) for record in caplog.records] == [
        ("call log did not commit in time, facts are lost", 2)
    ]
    assert journal.lost == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_fact_whose_commit_was_broken_off_keeps_its_place() -> None:
    clock = FakeClock()
    log = FakeCallLog(delay_ms=1000, clock=clock)
    journal = Journal(log, "call-1")
    journal.noted(note(1))
    journal.noted(note(2))
    await settle()
    journal.stop()
    closing = asyncio.create_task(journal.close(END, PATIENCE_S))
    for _ in range(3):
        await settle()
        clock.wind(1000)
    await closing
    assert log.facts == [note(1), note(2), END]


class FaultyCallLog(FakeCallLog):
    """A call log with a fault of ours in it."""

    async def call_answered(self, call_id: str, at_ms: int, point: ResumePoint | None = None) -> None:
        """Fail as no call log may."""
        raise ZeroDivisionError


async def test_fault_in_the_call_log_costs_one_fact_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    log = FaultyCallLog()
    journal = Journal(log, "call-1")
    journal.noted(note(1))
    journal.call_answered(5)
    journal.noted(note(2))
    await journal.close(END, PATIENCE_S)
    await settle()
    assert log.facts == [note(1), note(2), END]
    assert [record.getMessage() for record in caplog.records] == ["call log has a fault, a fact is lost"]
    assert caplog.records[0].exc_info is not None


async def test_nothing_is_recorded_after_the_end(caplog: pytest.LogCaptureFixture) -> None:
    log = FakeCallLog()
    journal = Journal(log, "call-1")
    await journal.close(END, PATIENCE_S)
    await journal.close(END, PATIENCE_S)
    journal.noted(note(1))
    await settle()
    assert log.facts == [END]
    assert "after its end" in caplog.text


async def test_moments_of_a_turn_count_from_the_offer_of_the_call_as_its_start_does() -> None:
    log = FakeCallLog()
    journal = Journal(log, "call-1", zero_ms=250)
    moments = TurnMoments(last_speech_at_ms=1000, first_sound_at_ms=1600)
    journal.turn_ended(Turn(number=1, node="day", at_ms=400, moments=moments))
    assert await journal.flush(PATIENCE_S)
    assert (log.turns[0].at_ms, log.turns[0].moments) == (650, TurnMoments(1250, first_sound_at_ms=1850))
