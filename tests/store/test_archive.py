from collections.abc import Sequence

import pytest

from parley.conversation.record import EndReason, TurnTimings
from parley.store import AmbiguousCall, CallArchive, CallOverview, SqlCallLog, TurnLatency, UnknownCall
from tests.store.calls import END, GREETING, NOTE, START, TURN, start


@pytest.fixture(autouse=True)
async def three_calls(log: SqlCallLog) -> None:
    """An ended call, an answered one and a newer one that both go on."""
    await log.call_started(start("1700.1", started_at=1000.0))
    await log.turn_ended("1700.1", GREETING)
    await log.turn_ended("1700.1", TURN)
    await log.noted("1700.1", NOTE)
    await log.call_ended("1700.1", END)
    await log.call_started(start("1700.12", started_at=2000.0, agent="sales"))
    await log.call_started(start("1800_1", started_at=1500.0, agent="sales"))
    await log.call_answered("1800_1", 120)


def ids(overviews: Sequence[CallOverview]) -> list[str]:
    return [overview.start.call_id for overview in overviews]


async def test_recent_calls_come_newest_first_with_what_a_list_shows(archive: CallArchive) -> None:
    newest, answered, ended = await archive.recent()
    assert (newest.start.call_id, newest.answered_ms, newest.end, newest.turn_count) == ("1700.12", None, None, 0)
    assert (answered.start.call_id, answered.answered_ms) == ("1800_1", 120)
    assert (ended.start.ani, ended.end, ended.turn_count) == (START.ani, END, 2)


async def test_recent_calls_are_limited_to_the_newest(archive: CallArchive) -> None:
    assert ids(await archive.recent(2)) == ["1700.12", "1800_1"]


async def test_recent_calls_can_be_filtered(archive: CallArchive) -> None:
    assert ids(await archive.recent(agent="sales")) == ["1700.12", "1800_1"]
    assert ids(await archive.recent(outcome="booked")) == ["1700.1"]
    assert ids(await archive.recent(reason=EndReason.TRANSFERRED)) == ["1700.1"]
    assert ids(await archive.recent(reason=EndReason.FAILED)) == []
    assert ids(await archive.recent(since=1500.0)) == ["1700.12", "1800_1"]
    assert ids(await archive.recent(agent="sales", since=1501.0)) == ["1700.12"]


async def test_the_beginning_of_an_id_finds_the_whole_record(archive: CallArchive) -> None:
    [record] = await archive.find("18")
    assert (record.start.call_id, record.answered_ms, record.turns, record.notes) == ("1800_1", 120, (), ())


async def test_a_whole_id_wins_over_longer_ones_that_begin_with_it(archive: CallArchive) -> None:
    [record] = await archive.find("1700.1")
    assert record.start == start("1700.1", started_at=1000.0)
    assert (record.turns, record.notes, record.end) == ((GREETING, TURN), (NOTE,), END)


async def test_an_ambiguous_beginning_names_the_candidates(archive: CallArchive) -> None:
    with pytest.raises(AmbiguousCall, match=r"1700\.1, 1700\.12; give more"):
        await archive.find("17")


@pytest.mark.parametrize("beginning", ["9", "1800%", "1_00", "1700.123"])
async def test_an_unknown_id_is_reported_and_wildcards_are_plain_characters(
    archive: CallArchive, beginning: str
) -> None:
    with pytest.raises(UnknownCall, match="parley calls list"):
        await archive.find(beginning)


async def test_latencies_are_those_of_the_turns_of_calls_in_a_time_span(archive: CallArchive, log: SqlCallLog) -> None:
    await log.turn_ended("1700.12", GREETING)
    greeting, answer = TurnLatency(0, TurnTimings()), TurnLatency(1, TURN.timings)
    assert await archive.latencies() == [greeting, answer, greeting]
    assert await archive.latencies(since=1000.0, until=2000.0) == [greeting, answer]
    assert await archive.latencies(since=1000.5) == [greeting]
    assert await archive.latencies(agent="sales") == [greeting]
    assert await archive.latencies(agent="nobody") == []
