"""The call record's writing side: `parley.conversation.ports.CallLog` on a database."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from parley.conversation.errors import CannotResume
from parley.conversation.record import PARTY_REPLACED, CallEnd, CallNote, CallStart, EndReason, Turn
from parley.conversation.resume_point import ResumePoint, from_json, to_json
from parley.store.database import Database
from parley.store.errors import UnknownCall
from parley.store.mapping import row_of_outcome, row_of_start, row_of_turn, start_of_row
from parley.store.models import CallRow, LegRow, NoteRow, ResumePointRow, TurnRow
from parley.store.records import InterruptedCall

logger = logging.getLogger(__name__)


class SqlCallLog:
    """Each method returns after its fact is committed and survives the death of this process.

    Every method raises StoreUnavailable when the database cannot be written (the fact is then not recorded),
    UnknownCall when the call was never started or has ended, RecordConflict when the fact was recorded before.
    Cancelling: the fact is recorded wholly or not at all.
    """

    def __init__(self, database: Database) -> None:
        """database: stays the caller's to close."""
        self._database = database

    async def call_started(self, start: CallStart) -> None:
        """Record an offered call. RecordConflict while a call with this id is open."""
        async with self._database.writing() as session:
            session.add(row_of_start(start))

    async def call_answered(self, call_id: str, at_ms: int, point: ResumePoint | None = None) -> None:
        """Record that the call was answered, `at_ms` after it was offered, and where it can be taken up."""
        async with self._database.writing() as session:
            row = await _open_call(session, call_id)
            row.answered_ms = at_ms
            await _keep_point(session, row, point)

    async def turn_ended(self, call_id: str, turn: Turn, point: ResumePoint | None = None) -> None:
        """Record one exchange, and where the call can be taken up; RecordConflict when it has a turn of this number."""
        async with self._database.writing() as session:
            row = await _open_call(session, call_id)
            session.add(row_of_turn(row.id, turn))
            await _keep_point(session, row, point)

    async def noted(self, call_id: str, note: CallNote) -> None:
        """Record something else that happened."""
        async with self._database.writing() as session:
            row = await _open_call(session, call_id)
            session.add(_note_row(row, note))

    async def call_ended(self, call_id: str, end: CallEnd) -> None:
        """Record the outcome and close the record."""
        async with self._database.writing() as session:
            await _close(session, await _open_call(session, call_id), end)

    async def followed_up(self, call_id: str, note: CallNote) -> None:
        """Record what became of the caller behind us, with the call's latest visit, whether it has ended or not."""
        async with self._database.writing() as session:
            row = await session.scalar(select(CallRow).where(CallRow.call_id == call_id).order_by(CallRow.id.desc()))
            if row is None:
                raise UnknownCall(f"no call has the id {call_id!r}")
            session.add(_note_row(row, note))

    async def interrupted(self, node: str) -> list[InterruptedCall]:
        """Return the calls that a killed process of this node left open, oldest first.

        Ask at start, where this process is the only one of its node that records in this database.
        """
        async with self._database.reading() as session:
            query = select(CallRow).where(_left_open(node)).order_by(CallRow.started_at, CallRow.id)
            rows = list(await session.scalars(query.options(selectinload(CallRow.legs))))
            ids = [row.id for row in rows]
            points = await session.scalars(select(ResumePointRow).where(ResumePointRow.call.in_(ids)))
            kept = {point.call: point.state for point in points}
            counting = select(NoteRow.call, func.count()).where(NoteRow.call.in_(ids), NoteRow.kind == "resumed")
            resumed = {call: count for call, count in await session.execute(counting.group_by(NoteRow.call))}
            legs = await _legs_now(session, ids)
        return [
            InterruptedCall(_served_by(row, legs), _point(kept.get(row.id)), resumed.get(row.id, 0)) for row in rows
        ]

    async def close_abandoned(self, found_at: float, node: str, alive: Collection[str] = ()) -> list[str]:
        """Close the calls that a killed process of this node left open, and return their ids, oldest first.

        They end as `failed`, at the last moment that was recorded of them, with a note `interrupted`. Call this
        at start, where this process is the only one of its node that records in this database.
        found_at: now, seconds since the epoch.   alive: ids of calls that are to stay open.
        """
        async with self._database.writing() as session:
            query = select(CallRow).where(_left_open(node)).order_by(CallRow.started_at, CallRow.id)
            rows = [row for row in await session.scalars(query) if row.call_id not in alive]
            for row in rows:
                last_ms = await _last_ms(session, row)
                found = datetime.fromtimestamp(found_at, UTC).isoformat(timespec="seconds")
                session.add(_note_row(row, CallNote(kind="interrupted", at_ms=last_ms, details={"found_at": found})))
                end = CallEnd(ended_at=row.started_at + last_ms / 1000, reason=EndReason.FAILED)
                await _close(session, row, end)
        if rows:
            logger.warning("closed calls that a killed process left open", extra={"calls": len(rows)})
        return [row.call_id for row in rows]


def _left_open(node: str) -> ColumnElement[bool]:
    """Hold for the open calls of a node, and for those that were recorded before nodes had names."""
    return CallRow.ended_at.is_(None) & CallRow.node.in_((node, ""))


async def _legs_now(session: AsyncSession, calls: Sequence[int]) -> dict[int, str]:
    """Return the legs that have taken the first ones' places, by the calls' primary keys."""
    query = select(NoteRow).where(NoteRow.call.in_(calls), NoteRow.kind == PARTY_REPLACED).order_by(NoteRow.id)
    return {note.call: str(note.details["leg_id"]) for note in await session.scalars(query)}


def _served_by(row: CallRow, legs: Mapping[int, str]) -> CallStart:
    start = start_of_row(row)
    return replace(start, leg_id=legs.get(row.id, start.leg_id))


def _point(state: str | None) -> ResumePoint | None:
    """Read what was kept of a call; None where that is nothing, or unreadable."""
    if state is None:
        return None
    try:
        return from_json(state)
    except CannotResume as err:
        logger.warning("an interrupted call cannot be taken up", extra={"problem": str(err)})
        return None


async def _keep_point(session: AsyncSession, row: CallRow, point: ResumePoint | None) -> None:
    if point is None:
        await session.execute(delete(ResumePointRow).where(ResumePointRow.call == row.id))
    else:
        await session.merge(ResumePointRow(call=row.id, state=to_json(point)))


async def _open_call(session: AsyncSession, call_id: str) -> CallRow:
    """Return the row of the open call with this id."""
    row = await session.scalar(select(CallRow).where(CallRow.call_id == call_id, CallRow.ended_at.is_(None)))
    if row is None:
        raise UnknownCall(f"no open call has the id {call_id!r}: it was not started, or has ended")
    return row


def _note_row(row: CallRow, note: CallNote) -> NoteRow:
    return NoteRow(call=row.id, kind=note.kind, at_ms=note.at_ms, details=dict(note.details))


async def _close(session: AsyncSession, row: CallRow, end: CallEnd) -> None:
    row.ended_at = end.ended_at
    row.reason = end.reason.value
    session.add(row_of_outcome(row.id, end))
    await _keep_point(session, row, None)
    for leg in await session.scalars(select(LegRow).where(LegRow.call == row.id)):
        leg.hangup_cause = end.hangup_cause


async def _last_ms(session: AsyncSession, row: CallRow) -> int:
    """Return the offset of the last thing recorded of a call."""
    turn_ms = await session.scalar(select(func.max(TurnRow.at_ms)).where(TurnRow.call == row.id))
    note_ms = await session.scalar(select(func.max(NoteRow.at_ms)).where(NoteRow.call == row.id))
    return max(row.answered_ms or 0, turn_ms or 0, note_ms or 0)
