"""What queues do with callers: counted always, noted with the call where it is one of ours, never in the way."""

from __future__ import annotations

import asyncio
import logging

import pytest

from parley.app.metrics import QUEUE_EVENT_LABELS, Metrics
from parley.app.queue_record import MAX_CALLS, MAX_NOTES, MAX_WAITING, QueueRecord
from parley.call_control import (
    AgentAnswered,
    AgentDeclined,
    AgentOffered,
    LegId,
    QueueEvent,
    QueueExit,
    QueueJoined,
    QueueLeft,
)
from parley.conversation.record import CallNote
from tests.fakes.call_log import FakeCallLog
from tests.fakes.clock import FakeClock

LEG = LegId("1.1")
JOINED = QueueJoined(LEG, "support", 1)
OFFERED = AgentOffered(LEG, "support", "Anna")
DECLINED = AgentDeclined(LEG, "support", "Anna", 4.0)
ANSWERED = AgentAnswered(LEG, "support", "Ben", 12.0)
TALKED = QueueLeft(LEG, "support", QueueExit.ANSWERED, 12.0, 95.0)
GAVE_UP = QueueLeft(LEG, "support", QueueExit.ABANDONED, 40.0)
UNSERVED = QueueLeft(LEG, "support", QueueExit.UNSERVED, 30.0)


class Following:
    """A record of one call, with its fakes."""

    def __init__(self, *, fails: bool = False) -> None:
        self.clock = FakeClock()
        self.log = FakeCallLog(fails=fails, clock=self.clock)
        self.metrics = Metrics()
        self.record = QueueRecord(self.log, self.metrics, self.clock)
        self.record.call_begins(LEG, "the-call")

    async def notes(self, *events: QueueEvent) -> list[CallNote]:
        """Take the events, and return what was noted."""
        for event in events:
            self.record.take(event)
        self.record.close()
        await self.record.run()
        return self.log.notes

    def counted(self, event: str) -> float | None:
        return self.metrics.registry.get_sample_value("parley_queue_events_total", {"event": event})


async def test_leg_that_takes_anothers_place_is_followed_into_the_queue() -> None:
    following = Following()
    following.record.leg_replaced(LEG, LegId("1.2"))
    following.record.leg_replaced(LegId("9.9"), LegId("9.8"))
    [note] = await following.notes(AgentAnswered(LegId("1.2"), "support", "Ben", 12.0))
    assert note.kind == "agent_answered"


async def test_decline_answer_and_end_of_the_talk_are_noted_and_what_leads_to_them_is_not() -> None:
    following = Following()
    following.clock.wind(60_000)
    assert await following.notes(JOINED, OFFERED, DECLINED, OFFERED, ANSWERED, TALKED) == [
        CallNote("agent_declined", 60_000, {"queue": "support", "agent": "Anna", "rang_s": "4"}),
        CallNote("agent_answered", 60_000, {"queue": "support", "agent": "Ben", "waited_s": "12"}),
        CallNote("queue_left", 60_000, {"queue": "support", "exit": "answered", "waited_s": "12", "talked_s": "95"}),
    ]


@pytest.mark.parametrize(("event", "exit"), [(GAVE_UP, "abandoned"), (UNSERVED, "unserved")])
async def test_caller_whom_nobody_took_is_noted_with_the_wait(event: QueueLeft, exit: str) -> None:
    [note] = await Following().notes(JOINED, event)
    assert note.details == {"queue": "support", "exit": exit, "waited_s": f"{event.waited_s:.0f}"}


async def test_every_event_is_counted_by_one_word() -> None:
    following = Following()
    await following.notes(JOINED, OFFERED, DECLINED, OFFERED, ANSWERED, TALKED, GAVE_UP, UNSERVED)
    expected = {"joined": 1, "offered": 2, "declined": 1, "answered": 1, "talk_ended": 1, "abandoned": 1, "unserved": 1}
    assert {event: following.counted(event) for event in QUEUE_EVENT_LABELS} == expected


async def test_leg_that_is_none_of_our_calls_is_counted_and_not_noted() -> None:
    following = Following()
    assert await following.notes(AgentAnswered(LegId("stranger"), "support", "Anna", 1.0)) == []
    assert following.counted("answered") == 1


async def test_queue_that_offers_a_caller_for_hours_does_not_fill_the_record() -> None:
    notes = await Following().notes(*[DECLINED] * (MAX_NOTES + 20), ANSWERED)
    assert len(notes) == MAX_NOTES + 1
    assert notes[-1].kind == "agent_answered"


async def test_calls_long_past_are_forgotten_and_the_next_visit_of_a_leg_counts() -> None:
    following = Following()
    for number in range(MAX_CALLS - 1):
        following.record.call_begins(LegId(f"2.{number}"), f"call-{number}")
    following.record.call_begins(LEG, "the-call-again")
    following.record.call_begins(LegId("3.1"), "one too many")
    assert [note.kind for note in await following.notes(ANSWERED, AgentAnswered(LegId("2.0"), "q", "a", 1.0))] == [
        "agent_answered"
    ]


async def test_log_that_fails_is_reported_and_the_next_event_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    following = Following(fails=True)
    await following.notes(ANSWERED, TALKED)
    assert [line.message for line in caplog.records] == ["what became of a caller is not recorded"] * 2
    assert "Ben" not in caplog.text


async def test_events_beyond_what_may_wait_are_dropped_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    following = Following()
    notes = await following.notes(*[TALKED] * (MAX_WAITING + 5))
    assert len(notes) == MAX_WAITING
    assert [line.levelno for line in caplog.records] == [logging.ERROR]


async def test_run_ends_by_cancellation() -> None:
    running = asyncio.create_task(Following().record.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
