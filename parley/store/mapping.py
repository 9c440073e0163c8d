"""Rows of the tables from the conversation's plain records, and back."""

from __future__ import annotations

from dataclasses import asdict, fields

from parley.conversation.record import CallEnd, CallNote, CallStart, EndReason, Turn, TurnMoments, TurnTimings
from parley.store.models import CallRow, LegRow, NoteRow, OutcomeRow, TurnRow

STAGES = tuple(field.name for field in fields(TurnTimings))
"""The timings' names, which are the columns' names too."""
MOMENTS = tuple(field.name for field in fields(TurnMoments))
"""The same of the moments."""


def row_of_start(start: CallStart) -> CallRow:
    """Return the call's row with the caller's leg."""
    leg = LegRow(leg_id=start.leg_id, direction=start.direction, ani=start.ani, dnis=start.dnis)
    return CallRow(
        call_id=start.call_id,
        agent=start.agent,
        flow=start.flow,
        language=start.language,
        node=start.node,
        started_at=start.started_at,
        legs=[leg],
    )


def start_of_row(row: CallRow) -> CallStart:
    """Return the start from a call's row; its legs must be loaded."""
    leg = row.legs[0]
    return CallStart(
        call_id=row.call_id,
        leg_id=leg.leg_id,
        agent=row.agent,
        flow=row.flow,
        language=row.language,
        direction=leg.direction,
        ani=leg.ani,
        dnis=leg.dnis,
        started_at=row.started_at,
        node=row.node,
    )


def row_of_turn(call: int, turn: Turn) -> TurnRow:
    """Return the turn's row; call: primary key of the call's row."""
    return TurnRow(
        call=call,
        number=turn.number,
        node=turn.node,
        at_ms=turn.at_ms,
        caller_text=turn.caller_text,
        caller_keys=turn.caller_keys,
        confidence=turn.confidence,
        rejected=turn.rejected,
        interrupted_agent=turn.interrupted_agent,
        agent_text=turn.agent_text,
        agent_heard=turn.agent_heard,
        **asdict(turn.timings),
        **asdict(turn.moments),
    )


def turn_of_row(row: TurnRow) -> Turn:
    """Return the turn of a row."""
    return Turn(
        number=row.number,
        node=row.node,
        at_ms=row.at_ms,
        caller_text=row.caller_text,
        caller_keys=row.caller_keys,
        confidence=row.confidence,
        rejected=row.rejected,
        interrupted_agent=row.interrupted_agent,
        agent_text=row.agent_text,
        agent_heard=row.agent_heard,
        timings=TurnTimings(**{stage: getattr(row, stage) for stage in STAGES}),
        moments=TurnMoments(**{moment: getattr(row, moment) for moment in MOMENTS}),
    )


def note_of_row(row: NoteRow) -> CallNote:
    """Return the note of a row."""
    return CallNote(kind=row.kind, at_ms=row.at_ms, details=dict(row.details))


def row_of_outcome(call: int, end: CallEnd) -> OutcomeRow:
    """Return the outcome's row; call: primary key of the call's row."""
    return OutcomeRow(
        call=call,
        outcome=end.outcome,
        intent=end.intent,
        summary=end.summary,
        transferred_to=end.transferred_to,
        slots=dict(end.slots),
        recording=end.recording,
    )


def end_of_row(row: CallRow) -> CallEnd | None:
    """Return how the call ended, None while it goes on; legs and outcome of the row must be loaded."""
    if row.ended_at is None or row.reason is None or row.outcome is None:
        return None
    return CallEnd(
        ended_at=row.ended_at,
        reason=EndReason(row.reason),
        outcome=row.outcome.outcome,
        intent=row.outcome.intent,
        summary=row.outcome.summary,
        transferred_to=row.outcome.transferred_to,
        hangup_cause=row.legs[0].hangup_cause or 0,
        slots=dict(row.outcome.slots),
        recording=row.outcome.recording,
    )
