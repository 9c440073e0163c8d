"""The SQL call log: the port's contract, then what only a database promises."""

import asyncio
import os
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from parley.conversation.ports import CallLog
from parley.conversation.record import PARTY_REPLACED, CallNote, EndReason
from parley.store import CallArchive, Database, InterruptedCall, RecordConflict, SqlCallLog, StoreUnavailable
from parley.store.models import ResumePointRow
from tests.store.call_log_contract import KeepingCallLogContract, Recorded
from tests.store.calls import END, GREETING, NODE, POINT, START, TURN, start

ROOT = Path(__file__).resolve().parent.parent.parent


async def pragma(database: Database, statement: str) -> None:
    """Change a setting of the one connection that the pool holds."""
    async with database.reading() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(f"PRAGMA {statement}")


class TestSqlCallLog(KeepingCallLogContract):
    """The port's contract on a database."""

    @pytest.fixture
    def subject(self, log: SqlCallLog) -> CallLog:
        return log

    @pytest.fixture
    def recorded(self, archive: CallArchive) -> Recorded:
        return archive.find


async def test_texts_that_no_database_holds_are_recorded_with_replacements(
    log: SqlCallLog, archive: CallArchive
) -> None:
    await log.call_started(replace(START, ani="caf\udce9\0'; drop table call; --"))
    await log.noted(START.call_id, CallNote(kind="odd", at_ms=0, details={"header": "\udcff\0"}))
    [record] = await archive.find(START.call_id)
    assert record.start.ani == "caf\ufffd\ufffd'; drop table call; --"
    assert record.notes[0].details == {"header": "\ufffd\ufffd"}


async def test_calls_recorded_at_the_same_time_do_not_disturb_each_other(log: SqlCallLog, archive: CallArchive) -> None:
    async def converse(number: int) -> None:
        call_id = f"call-{number:02}"
        await log.call_started(start(call_id, started_at=START.started_at + number))
        for turn in range(5):
            await log.turn_ended(call_id, replace(TURN, number=turn, caller_text=call_id))
        await log.call_ended(call_id, END)

    async with asyncio.TaskGroup() as calls:
        for number in range(10):
            calls.create_task(converse(number))

    assert [overview.turn_count for overview in await archive.recent(50)] == [5] * 10
    for number in range(10):
        [record] = await archive.find(f"call-{number:02}")
        assert [(turn.number, turn.caller_text) for turn in record.turns] == [
            (turn, f"call-{number:02}") for turn in range(5)
        ]


async def test_cancelled_recording_is_whole_or_absent_and_the_next_one_works(
    log: SqlCallLog, archive: CallArchive
) -> None:
    await log.call_started(START)
    for ticks in range(40):
        recording = asyncio.create_task(log.turn_ended(START.call_id, replace(TURN, number=ticks)))
        for _ in range(ticks):
            await asyncio.sleep(0)
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)
    await log.turn_ended(START.call_id, replace(TURN, number=100))

    [record] = await archive.find(START.call_id)
    assert record.turns[-1].number == 100
    assert all(turn == replace(TURN, number=turn.number) for turn in record.turns)


async def test_recording_cancelled_while_another_program_holds_the_lock_does_not_jam_the_store(
    database: Database, log: SqlCallLog, archive: CallArchive, file: Path
) -> None:
    await pragma(database, "busy_timeout = 200")
    await log.call_started(START)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await log.turn_ended(START.call_id, TURN)
    other.execute("ROLLBACK")
    other.close()

    await log.turn_ended(START.call_id, replace(TURN, number=2))

    [record] = await archive.find(START.call_id)
    assert record.turns[-1].number == 2


# --- death of the process ---------------------------------------------------------------------------------


@pytest.mark.parametrize("turns_before_death", [1, 40])
async def test_every_turn_reported_as_committed_survives_kill_9(file: Path, url: str, turns_before_death: int) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.recording_child", url, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert child.stdout is not None
    reported: list[int] = []
    try:
        while len(reported) < turns_before_death:
            reported.append(int(await child.stdout.readline()))
    finally:
        os.kill(child.pid, signal.SIGKILL)
    reported += [int(line) for line in (await child.stdout.read()).splitlines(keepends=True) if line.endswith(b"\n")]
    assert await child.wait() == -signal.SIGKILL

    database = await Database.open(url)
    [record] = await CallArchive(database).find("killed")
    await database.aclose()

    recorded = [turn.number for turn in record.turns]
    assert recorded[: len(reported)] == reported
    assert len(recorded) - len(reported) <= 1, "at most the turn that was under way"
    assert record.end is None


async def test_abandoned_calls_are_closed_as_failed_at_their_last_known_moment(
    log: SqlCallLog, archive: CallArchive
) -> None:
    await log.call_started(START)
    await log.call_answered(START.call_id, 90)
    await log.turn_ended(START.call_id, GREETING)
    await log.turn_ended(START.call_id, TURN)
    await log.call_started(start("silent", started_at=START.started_at + 1))
    await log.call_started(start("done"))
    await log.call_ended("done", END)

    assert await log.close_abandoned(found_at=1763800000.0, node=NODE) == [START.call_id, "silent"]

    [record] = await archive.find(START.call_id)
    assert record.end is not None
    assert (record.end.reason, record.end.ended_at) == (EndReason.FAILED, START.started_at + TURN.at_ms / 1000)
    interrupted = CallNote(kind="interrupted", at_ms=TURN.at_ms, details={"found_at": "2025-11-22T08:26:40+00:00"})
    assert record.notes == (interrupted,)
    assert record.turns == (GREETING, TURN)
    [silent] = await archive.find("silent")
    assert silent.end is not None
    assert silent.end.ended_at == silent.start.started_at
    [done] = await archive.find("done")
    assert done.end == END
    assert await log.close_abandoned(found_at=1763800001.0, node=NODE) == []


async def test_abandoned_calls_that_are_still_alive_stay_open(log: SqlCallLog, archive: CallArchive) -> None:
    await log.call_started(START)
    assert await log.close_abandoned(found_at=1763800000.0, node=NODE, alive={START.call_id}) == []
    await log.turn_ended(START.call_id, TURN)
    [record] = await archive.find(START.call_id)
    assert record.end is None


# --- taking calls up --------------------------------------------------------------------------------------


async def test_interrupted_call_is_found_with_the_point_of_its_last_commit(log: SqlCallLog) -> None:
    await log.call_started(START)
    await log.call_answered(START.call_id, 90, POINT)
    later = replace(POINT, turn=replace(POINT.turn, number=3))
    await log.turn_ended(START.call_id, TURN, later)
    assert await log.interrupted(NODE) == [InterruptedCall(START, later, resumed=0)]


async def test_exchange_and_its_resume_point_are_committed_together_or_not_at_all(
    log: SqlCallLog, archive: CallArchive
) -> None:
    await log.call_started(START)
    await log.turn_ended(START.call_id, TURN, POINT)
    with pytest.raises(RecordConflict):
        await log.turn_ended(START.call_id, TURN, replace(POINT, turn=TURN))
    assert [call.point for call in await log.interrupted(NODE)] == [POINT]


async def test_call_that_asks_nothing_any_more_has_no_resume_point(log: SqlCallLog) -> None:
    await log.call_started(START)
    await log.call_answered(START.call_id, 90, POINT)
    await log.turn_ended(START.call_id, TURN)
    assert await log.interrupted(NODE) == [InterruptedCall(START, None, resumed=0)]


async def test_times_that_a_call_was_taken_up_are_counted(log: SqlCallLog) -> None:
    await log.call_started(START)
    for at_ms in (4000, 9000):
        await log.noted(START.call_id, CallNote("resumed", at_ms))
    assert [call.resumed for call in await log.interrupted(NODE)] == [2]


async def test_interrupted_call_is_found_by_the_leg_that_took_the_callers_place_last(log: SqlCallLog) -> None:
    await log.call_started(START)
    await log.call_started(start("other"))
    for leg_id in ("moved-1", "moved-2"):
        await log.noted(START.call_id, CallNote(PARTY_REPLACED, 4000, {"leg_id": leg_id}))
    legs = {call.start.call_id: call.start.leg_id for call in await log.interrupted(NODE)}
    assert legs == {START.call_id: "moved-2", "other": start("other").leg_id}


async def test_calls_of_another_node_are_neither_found_nor_closed(log: SqlCallLog, archive: CallArchive) -> None:
    await log.call_started(replace(START, node="parley-b"))
    await log.call_started(start("unnamed", node=""))
    assert [call.start.call_id for call in await log.interrupted(NODE)] == ["unnamed"]
    assert await log.close_abandoned(found_at=1763800000.0, node=NODE) == ["unnamed"]
    assert [call.start.call_id for call in await log.interrupted("parley-b")] == [START.call_id]


async def test_ended_call_keeps_nothing_of_where_it_was(database: Database, log: SqlCallLog) -> None:
    await log.call_started(START)
    await log.call_answered(START.call_id, 90, POINT)
    await log.call_ended(START.call_id, END)
    assert await log.interrupted(NODE) == []
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(ResumePointRow)) == 0


async def test_unreadable_resume_point_is_as_none(database: Database, log: SqlCallLog) -> None:
    await log.call_started(START)
    await log.call_answered(START.call_id, 90, POINT)
    async with database.writing() as session:
        await session.execute(update(ResumePointRow).values(state='{"script": 1}'))
    assert [call.point for call in await log.interrupted(NODE)] == [None]


# --- when the database cannot be written ------------------------------------------------------------------


async def test_full_disk_is_reported_and_recording_goes_on_when_there_is_room(
    database: Database, log: SqlCallLog, archive: CallArchive
) -> None:
    await log.call_started(START)
    long_turn = replace(TURN, caller_text="x" * 200_000)
    await pragma(database, "max_page_count = 20")
    with pytest.raises(StoreUnavailable, match="disk is full") as caught:
        await log.turn_ended(START.call_id, long_turn)
    assert caught.value.retryable
    await pragma(database, "max_page_count = 100000")
    await log.turn_ended(START.call_id, long_turn)
    [record] = await archive.find(START.call_id)
    assert record.turns == (long_turn,)


async def test_read_only_database_is_reported_with_what_to_check(database: Database, log: SqlCallLog) -> None:
    await pragma(database, "query_only = ON")
    with pytest.raises(StoreUnavailable, match="must belong to the user that Parley runs as"):
        await log.call_started(START)


async def test_database_locked_by_another_program_is_reported_with_how_to_find_it(
    database: Database, log: SqlCallLog, file: Path
) -> None:
    await pragma(database, "busy_timeout = 20")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreUnavailable, match="fuser"):
            await log.call_started(START)
    finally:
        other.close()
    await log.call_started(START)


async def test_errors_tell_nothing_of_the_caller(log: SqlCallLog) -> None:
    await log.call_started(START)
    with pytest.raises(RecordConflict) as caught:
        await log.call_started(START)
    chain = f"{caught.value} {caught.value.__cause__}"
    assert START.ani not in chain
