"""The call's record beside the conversation."""

import asyncio

import pytest

from parley.conversation.journal import QUEUE_SIZE, Journal
from parley.conversation.record import CallNote
from tests.fakes.call_log import FakeCallLog


def note(number: int) -> CallNote:
    return CallNote("silence", at_ms=number)


async def written(journal: Journal) -> None:
    """Commit everything."""
    writer = asyncio.create_task(journal.run())
    await journal.flush()
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer


async def test_facts_are_committed_in_their_order() -> None:
    log = FakeCallLog()
    journal = Journal(log, "call-1")
    journal.noted(note(1))
    journal.call_answered(5)
    journal.noted(note(2))
    await written(journal)
    assert log.facts == [note(1), 5, note(2)]


async def test_log_that_recovers_gets_what_comes_later(caplog: pytest.LogCaptureFixture) -> None:
    log = FakeCallLog(fails=True)
    journal = Journal(log, "call-1")
    journal.noted(note(1))
    await written(journal)
    log.fails = False
    journal.noted(note(2))
    await written(journal)
    assert log.facts == [note(2)]
    assert [record.getMessage() for record in caplog.records] == ["call log did not commit a fact"]


async def test_log_that_is_too_far_behind_loses_the_newest_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    log = FakeCallLog()
    journal = Journal(log, "call-1")
    for number in range(QUEUE_SIZE + 1):
        journal.noted(note(number))
    await written(journal)
    assert len(log.facts) == QUEUE_SIZE
    assert "too far behind" in caplog.text
