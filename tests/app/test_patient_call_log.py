import asyncio
import logging

import pytest

from parley.app.metrics import Metrics
from parley.app.observed_call_log import ObservedCallLog
from parley.app.patient_call_log import PatientCallLog, committed
from parley.conversation.journal import Journal
from parley.conversation.record import CallEnd, CallNote, EndReason
from parley.store import RecordConflict, StoreError, StoreUnavailable
from tests.fakes.call_audio import settle
from tests.fakes.call_log import Fact, FakeCallLog

PATIENCE_S = 5.0
"""Real time, never used up: a test that fails does not hang."""
END = CallEnd(ended_at=1_700_000_009.0, reason=EndReason.COMPLETED)
LOCKED = StoreUnavailable("parley.db is locked by another program")


class Disk(FakeCallLog):
    """A log whose database refuses the first so many facts."""

    def __init__(self, error: StoreError, refusals: int) -> None:
        super().__init__()
        self.error = error
        self.refusals = refusals

    async def _commit(self, fact: Fact) -> None:
        if self.refusals:
            self.refusals -= 1
            raise self.error
        await super()._commit(fact)


def note(number: int) -> CallNote:
    return CallNote("silence", at_ms=number)


def failures(metrics: Metrics, code: str) -> float | None:
    return metrics.registry.get_sample_value("parley_record_errors_total", {"code": code})


async def test_fact_that_the_database_does_not_take_is_tried_again_and_none_overtakes_it() -> None:
    disk, metrics = Disk(LOCKED, refusals=3), Metrics()
    journal = Journal(ObservedCallLog(PatientCallLog(disk, metrics, pause_s=0), metrics), "call-1")
    journal.noted(note(1))
    journal.noted(note(2))
    await journal.close(END, PATIENCE_S)
    assert disk.facts == [note(1), note(2), END]


async def test_trouble_is_told_and_counted_once_for_each_fact(caplog: pytest.LogCaptureFixture) -> None:
    disk, metrics = Disk(LOCKED, refusals=3), Metrics()
    journal = Journal(ObservedCallLog(PatientCallLog(disk, metrics, pause_s=0), metrics), "call-1")
    with caplog.at_level(logging.ERROR):
        await journal.close(END, PATIENCE_S)
    assert [record.getMessage() for record in caplog.records] == ["call record not written yet"]
    assert failures(metrics, "store_unavailable") == 1
    assert metrics.registry.get_sample_value("parley_calls_ended_total", {"reason": "completed"}) == 1


async def test_database_that_does_not_come_back_is_given_up_when_the_journal_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk, metrics = Disk(LOCKED, refusals=1_000_000), Metrics()
    journal = Journal(ObservedCallLog(PatientCallLog(disk, metrics, pause_s=0), metrics), "call-1")
    await journal.close(END, 0.0)
    await settle()
    assert disk.facts == []
    assert "did not commit in time" in caplog.text
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_fact_that_will_never_be_taken_is_not_tried_again() -> None:
    disk, metrics = Disk(RecordConflict("turn 1 is there already"), refusals=1), Metrics()
    with pytest.raises(RecordConflict):
        await PatientCallLog(disk, metrics, pause_s=0).noted("call-1", note(1))
    assert disk.facts == []


async def test_closing_records_of_an_earlier_run_waits_for_a_locked_database(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[StoreError | list[str]] = [LOCKED, LOCKED, ["call-1"]]

    async def close() -> list[str]:
        answer = answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    metrics = Metrics()
    assert await committed(close, metrics, "records of an earlier run not closed yet", pause_s=0) == ["call-1"]
    assert caplog.messages == ["records of an earlier run not closed yet"]
    assert failures(metrics, "store_unavailable") == 1
