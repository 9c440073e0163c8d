"""The call record's reading side: for `parley calls` and, later, the console."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from parley.conversation.record import EndReason, TurnTimings
from parley.store.database import Database
from parley.store.errors import AmbiguousCall, UnknownCall
from parley.store.mapping import STAGES, end_of_row, note_of_row, start_of_row, turn_of_row
from parley.store.models import CallRow, OutcomeRow, TurnRow
from parley.store.records import CallOverview, CallRecord, TurnLatency

SHOWN_CANDIDATES = 5
"""How many ids an AmbiguousCall names."""


class CallArchive:
    """Finds recorded calls. Every method raises StoreUnavailable when the database cannot be read."""

    def __init__(self, database: Database) -> None:
        """database: stays the caller's to close."""
        self._database = database

    async def recent(
        self,
        limit: int = 20,
        *,
        agent: str = "",
        outcome: str = "",
        reason: EndReason | None = None,
        since: float | None = None,
    ) -> list[CallOverview]:
        """Return the latest calls, newest first, open ones included; empty filters let everything pass.

        since: seconds since the epoch, UTC; calls offered before it are left out.
        """
        query = select(CallRow).order_by(CallRow.started_at.desc(), CallRow.id.desc()).limit(limit)
        if agent:
            query = query.where(CallRow.agent == agent)
        if outcome:
            query = query.join(CallRow.outcome).where(OutcomeRow.outcome == outcome)
        if reason is not None:
            query = query.where(CallRow.reason == reason.value)
        if since is not None:
            query = query.where(CallRow.started_at >= since)
        async with self._database.reading() as session:
            rows = await session.scalars(query.options(selectinload(CallRow.legs), selectinload(CallRow.outcome)))
            return await _overviews(session, rows.all())

    async def latencies(
        self, *, since: float | None = None, until: float | None = None, agent: str = ""
    ) -> list[TurnLatency]:
        """Return the response times of the turns of all calls that were offered in this time, oldest first.

        since, until: seconds since the epoch, UTC, `until` left out; None is without end.   agent: empty for any.
        """
        columns = [getattr(TurnRow, stage) for stage in STAGES]
        query = select(TurnRow.number, *columns).join(CallRow, TurnRow.call == CallRow.id)
        if since is not None:
            query = query.where(CallRow.started_at >= since)
        if until is not None:
            query = query.where(CallRow.started_at < until)
        if agent:
            query = query.where(CallRow.agent == agent)
        async with self._database.reading() as session:
            rows = await session.execute(query.order_by(CallRow.started_at, CallRow.id, TurnRow.number))
            return [
                TurnLatency(number, TurnTimings(**dict(zip(STAGES, stages, strict=True)))) for number, *stages in rows
            ]

    async def find(self, call_id: str) -> list[CallRecord]:
        """Return every visit of one call, oldest first; the beginning of its id is enough.

        A call visits us again when the dialplan sends it back; most have one visit. A whole id wins over longer
        ones that begin with it. Raises UnknownCall, AmbiguousCall.
        """
        async with self._database.reading() as session:
            whole_id = await _complete(session, call_id)
            query = select(CallRow).where(CallRow.call_id == whole_id).order_by(CallRow.id)
            parts = (CallRow.legs, CallRow.outcome, CallRow.turns, CallRow.notes)
            rows = await session.scalars(query.options(*(selectinload(part) for part in parts)))
            return [_record(row) for row in rows]


async def _overviews(session: AsyncSession, rows: Sequence[CallRow]) -> list[CallOverview]:
    counting = select(TurnRow.call, func.count()).where(TurnRow.call.in_([row.id for row in rows]))
    turn_counts = {call: count for call, count in await session.execute(counting.group_by(TurnRow.call))}
    return [
        CallOverview(start_of_row(row), row.answered_ms, end_of_row(row), turn_counts.get(row.id, 0)) for row in rows
    ]


def _record(row: CallRow) -> CallRecord:
    return CallRecord(
        start=start_of_row(row),
        answered_ms=row.answered_ms,
        end=end_of_row(row),
        turns=tuple(turn_of_row(turn) for turn in row.turns),
        notes=tuple(note_of_row(note) for note in row.notes),
    )


async def _complete(session: AsyncSession, beginning: str) -> str:
    """Return the one call id that begins so."""
    if await session.scalar(select(CallRow.id).where(CallRow.call_id == beginning).limit(1)) is not None:
        return beginning
    query = select(CallRow.call_id).where(CallRow.call_id.startswith(beginning, autoescape=True)).distinct()
    ids = list(await session.scalars(query.order_by(CallRow.call_id).limit(SHOWN_CANDIDATES + 1)))
    if not ids:
        raise UnknownCall(f"no call's id begins with {beginning!r}: `parley calls list` shows the ids")
    if len(ids) > 1:
        more = ", …" if len(ids) > SHOWN_CANDIDATES else ""
        raise AmbiguousCall(
            f"several calls' ids begin with {beginning!r}: {', '.join(ids[:SHOWN_CANDIDATES])}{more}; "
            "give more of the id"
        )
    return ids[0]
