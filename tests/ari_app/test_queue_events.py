"""AMI's queue events, as Asterisk 22.10.1 sent them (tests/data/ami), as call events about our legs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ari_app.ami.messages import AmiEvent
from ari_app.queue_events import EVENTS, QueueEvents
from parley.call_control import (
    AgentAnswered,
    AgentDeclined,
    AgentOffered,
    CallId,
    LegId,
    QueueEvent,
    QueueExit,
    QueueJoined,
    QueueLeft,
)
from tests.ari_app.captured import AMI_FOLDER, captured_ami_events

CAPTURES = sorted(path.stem for path in AMI_FOLDER.glob("*.txt"))


def leg_in(name: str) -> LegId:
    """Return the leg that joins a queue in a capture, which is the call's first channel."""
    return LegId(next(event.get("Linkedid") for event in captured_ami_events(name) if event.name == "QueueCallerJoin"))


def told(name: str, *, seconds_per_event: float = 1.0, queues: QueueEvents | None = None) -> list[QueueEvent]:
    """Return what a capture tells about its leg, one event a second."""
    queues = queues or QueueEvents()
    leg = leg_in(name)
    queues.follow(leg, CallId(leg), 0.0)
    return [
        event
        for number, message in enumerate(captured_ami_events(name))
        for event in queues.apply(message, number * seconds_per_event)
    ]


def test_every_event_that_is_used_is_in_the_captures() -> None:
    assert {event.name for name in CAPTURES for event in captured_ami_events(name)} == set(EVENTS)


def test_declined_then_answered_is_told_step_by_step() -> None:
    leg = leg_in("declined_then_answered")
    assert told("declined_then_answered") == [
        QueueJoined(leg, "support", 1),
        AgentOffered(leg, "support", "Agent One"),
        AgentDeclined(leg, "support", "Agent One", 0.0),
        AgentOffered(leg, "support", "Agent Two"),
        AgentAnswered(leg, "support", "Agent Two", 1.0),
        QueueLeft(leg, "support", QueueExit.ANSWERED, 1.0, 1.0),
    ]


def test_caller_who_hangs_up_while_a_phone_rings_gave_up() -> None:
    leg = leg_in("abandoned_while_ringing")
    assert told("abandoned_while_ringing")[-1] == QueueLeft(leg, "support", QueueExit.ABANDONED, 1.0)


def test_caller_whose_time_is_up_was_not_served_and_did_not_give_up() -> None:
    leg = leg_in("timed_out_while_ringing")
    assert told("timed_out_while_ringing")[-2:] == [
        AgentDeclined(leg, "support", "Agent Two", 3.0),
        QueueLeft(leg, "support", QueueExit.UNSERVED, 3.0),
    ]


def test_caller_who_leaves_by_a_key_was_not_served() -> None:
    leg = leg_in("caller_left_by_key")
    # Joined at 0 s, left at 6 s; known for sure once the caller has hung up.
    assert told("caller_left_by_key")[-1] == QueueLeft(leg, "keyed", QueueExit.UNSERVED, 6.0)


def test_caller_who_hangs_up_in_the_talk_was_answered() -> None:
    leg = leg_in("caller_hung_up_in_talk")
    assert told("caller_hung_up_in_talk")[-1] == QueueLeft(leg, "support", QueueExit.ANSWERED, 0.0, 1.0)


def test_caller_who_hangs_up_during_the_summary_gave_up_though_asterisk_connects_the_agent() -> None:
    leg = leg_in("caller_hung_up_in_summary")
    assert told("caller_hung_up_in_summary") == [
        QueueJoined(leg, "gosub", 1),
        AgentOffered(leg, "gosub", "Agent One"),
        QueueLeft(leg, "gosub", QueueExit.ABANDONED, 2.0),
    ]


def test_summary_before_the_connection_belongs_to_the_wait() -> None:
    leg = leg_in("answered_after_summary")
    assert told("answered_after_summary")[-2:] == [
        AgentAnswered(leg, "gosub", "Agent One", 2.0),
        QueueLeft(leg, "gosub", QueueExit.ANSWERED, 2.0, 1.0),
    ]


def test_of_two_phones_that_ring_one_answers() -> None:
    leg = leg_in("two_rang_one_answered")
    kinds = [type(event) for event in told("two_rang_one_answered")]
    assert kinds == [QueueJoined, AgentOffered, AgentOffered, AgentAnswered, QueueLeft]
    assert AgentAnswered(leg, "all", "Agent Two", 0.0) in told("two_rang_one_answered")


def test_leg_that_waits_through_a_local_channel_is_known_by_its_call() -> None:
    leg = leg_in("through_a_local_channel")
    events = told("through_a_local_channel")
    assert [type(event) for event in events] == [QueueJoined, AgentOffered, AgentAnswered, QueueLeft]
    assert {event.leg_id for event in events} == {leg}


@pytest.mark.parametrize("name", CAPTURES)
def test_leg_that_has_hung_up_is_forgotten(name: str) -> None:
    queues = QueueEvents()
    told(name, queues=queues)
    assert len(queues) == 0


@pytest.mark.parametrize("name", CAPTURES)
def test_every_joining_is_followed_by_one_leaving(name: str) -> None:
    kinds = [type(event) for event in told(name) if isinstance(event, QueueJoined | QueueLeft)]
    assert kinds == [QueueJoined, QueueLeft]


@pytest.mark.parametrize("name", CAPTURES)
def test_callers_who_were_never_ours_are_not_told_of(name: str) -> None:
    queues = QueueEvents()
    queues.follow(LegId("1.1"), CallId("1.1"), 0.0)
    assert [event for message in captured_ami_events(name) for event in queues.apply(message, 0.0)] == []


def about(leg: str, *names: str, **headers: str) -> Iterator[AmiEvent]:
    for name in names:
        yield AmiEvent(name, {"Event": name, "Uniqueid": leg, "Linkedid": leg, "Queue": "support", **headers})


def applied(queues: QueueEvents, *events: AmiEvent, now: float = 0.0) -> list[QueueEvent]:
    return [told for event in events for told in queues.apply(event, now)]


def test_caller_who_goes_from_one_queue_to_the_next_has_left_the_first() -> None:
    queues = QueueEvents()
    queues.follow(LegId("1.1"), CallId("1.1"), 0.0)
    applied(queues, *about("1.1", "QueueCallerJoin"))
    applied(queues, *about("1.1", "QueueCallerLeave"), now=30.0)
    [left, joined] = applied(queues, *about("1.1", "QueueCallerJoin", Queue="sales", Position="3"), now=90.0)
    assert left == QueueLeft(LegId("1.1"), "support", QueueExit.UNSERVED, 30.0)
    assert joined == QueueJoined(LegId("1.1"), "sales", 3)


def test_answer_is_told_though_the_joining_was_missed() -> None:
    queues = QueueEvents()
    queues.follow(LegId("1.1"), CallId("1.1"), 0.0)
    [answered] = applied(queues, *about("1.1", "AgentConnect", MemberName="Anna", HoldTime="40"), now=50.0)
    assert answered == AgentAnswered(LegId("1.1"), "support", "Anna", 40.0)
    [left] = applied(queues, *about("1.1", "Hangup"), now=80.0)
    assert left == QueueLeft(LegId("1.1"), "support", QueueExit.ANSWERED, 40.0, 30.0)


def test_legs_of_which_nothing_is_heard_are_forgotten_in_time() -> None:
    queues = QueueEvents(memory_s=3600.0)
    queues.follow(LegId("old"), CallId("old"), 0.0)
    queues.follow(LegId("waiting"), CallId("waiting"), 0.0)
    applied(queues, *about("waiting", "QueueCallerJoin"), now=3000.0)
    queues.follow(LegId("young"), CallId("young"), 4000.0)
    assert len(queues) == 2
    assert applied(queues, *about("old", "QueueCallerJoin")) == []
    assert applied(queues, *about("waiting", "QueueCallerAbandon"))


def test_number_of_legs_is_bounded_and_the_longest_unheard_of_goes_first() -> None:
    queues = QueueEvents(max_legs=3)
    for number in range(5):
        queues.follow(LegId(f"1.{number}"), CallId("1.0"), float(number))
    assert len(queues) == 3
    assert applied(queues, *about("1.1", "QueueCallerJoin", Linkedid="x")) == []
    assert applied(queues, *about("1.4", "QueueCallerJoin"))


@pytest.mark.parametrize("nonsense", ["", "-1", "nan", "1e9", "٣", "9" * 400, "a\r\nb"])
def test_nonsense_in_numbers_and_names_does_no_harm(nonsense: str) -> None:
    queues = QueueEvents()
    queues.follow(LegId("1.1"), CallId("1.1"), 0.0)
    headers = {name: nonsense for name in ("Position", "HoldTime", "RingTime", "TalkTime", "MemberName", "Queue")}
    names = [name for name in EVENTS if not name.startswith("Hangup")]
    for told in applied(queues, *about("1.1", *names, **headers)):
        assert "\n" not in repr(told)
        assert len(told.queue) <= 80
