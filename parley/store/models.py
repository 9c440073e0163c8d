"""The tables: call, leg, turn, note, outcome; and resume_point, for calls that go on.

One row of `call` is one visit of a call to Parley. The dialplan may send the same call to us again (queue full,
back to the agent): that is a second row with the same call_id, of which at most one is open at a time.
Migrations under `migrations/versions/` create these tables; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from parley.store.columns import ForeignText, ForeignTexts, UtcTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, so that later migrations can alter it on any database."""


class Row(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {str: ForeignText}  # noqa: RUF012 (SQLAlchemy reads it as a plain attribute)


Row.metadata.naming_convention = NAMING


class CallRow(Row):
    """One visit of a call."""

    __tablename__ = "call"

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str]
    agent: Mapped[str]
    flow: Mapped[str]
    language: Mapped[str]
    node: Mapped[str] = mapped_column(server_default=text("''"))
    """The Parley node that serves it; empty for calls recorded before nodes had names."""
    started_at: Mapped[float] = mapped_column(UtcTime, index=True)
    answered_ms: Mapped[int | None]
    """After it was offered."""
    ended_at: Mapped[float | None] = mapped_column(UtcTime)
    """Null while the call goes on."""
    reason: Mapped[str | None]
    """A value of EndReason."""

    legs: Mapped[list[LegRow]] = relationship(order_by="LegRow.id")
    turns: Mapped[list[TurnRow]] = relationship(order_by="TurnRow.number")
    notes: Mapped[list[NoteRow]] = relationship(order_by="NoteRow.id")
    outcome: Mapped[OutcomeRow | None] = relationship()


OPEN_CALL = CallRow.__table__.c.ended_at.is_(None)

Index("ix_call_call_id", CallRow.call_id)
Index("uq_call_open", CallRow.call_id, unique=True, sqlite_where=OPEN_CALL, postgresql_where=OPEN_CALL)


class LegRow(Row):
    """One party of a call; the first is the caller's."""

    __tablename__ = "leg"

    id: Mapped[int] = mapped_column(primary_key=True)
    call: Mapped[int] = mapped_column(ForeignKey("call.id"), index=True)
    leg_id: Mapped[str]
    direction: Mapped[str]
    ani: Mapped[str]
    dnis: Mapped[str]
    hangup_cause: Mapped[int | None]
    """Q.850 value; null while the leg is up."""


class TurnRow(Row):
    """One exchange; names and units as in `parley.conversation.record`."""

    __tablename__ = "turn"
    __table_args__ = (UniqueConstraint("call", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    call: Mapped[int] = mapped_column(ForeignKey("call.id"))
    number: Mapped[int]
    node: Mapped[str]
    at_ms: Mapped[int]
    caller_text: Mapped[str]
    caller_keys: Mapped[str]
    confidence: Mapped[float]
    rejected: Mapped[bool]
    interrupted_agent: Mapped[bool]
    agent_text: Mapped[str]
    agent_heard: Mapped[str]
    endpoint_ms: Mapped[int | None]
    asr_ms: Mapped[int | None]
    llm_ms: Mapped[int | None]
    tts_ms: Mapped[int | None]
    playout_ms: Mapped[int | None]
    response_ms: Mapped[int | None]
    barge_in_ms: Mapped[int | None]
    last_speech_at_ms: Mapped[int | None]
    endpoint_at_ms: Mapped[int | None]
    final_at_ms: Mapped[int | None]
    first_token_at_ms: Mapped[int | None]
    speech_ready_at_ms: Mapped[int | None]
    first_sound_at_ms: Mapped[int | None]


class NoteRow(Row):
    """Something that happened besides turns."""

    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    call: Mapped[int] = mapped_column(ForeignKey("call.id"), index=True)
    kind: Mapped[str]
    at_ms: Mapped[int]
    details: Mapped[Mapping[str, str]] = mapped_column(ForeignTexts)


class OutcomeRow(Row):
    """What the business got from a call that has ended."""

    __tablename__ = "outcome"

    call: Mapped[int] = mapped_column(ForeignKey("call.id"), primary_key=True, autoincrement=False)
    outcome: Mapped[str] = mapped_column(index=True)
    intent: Mapped[str]
    summary: Mapped[str]
    transferred_to: Mapped[str]
    slots: Mapped[Mapping[str, str]] = mapped_column(ForeignTexts)
    recording: Mapped[str]


class ResumePointRow(Row):
    """Where a call that goes on can be taken up by another process; gone when the call has ended."""

    __tablename__ = "resume_point"

    call: Mapped[int] = mapped_column(ForeignKey("call.id"), primary_key=True, autoincrement=False)
    state: Mapped[str]
    """JSON, as `parley.conversation.resume_point` writes it."""


class WriteProbeRow(Row):
    """One row, rewritten by `Database.check_writable()`: a full disk shows only when something is written."""

    __tablename__ = "write_probe"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    written_at: Mapped[float] = mapped_column(UtcTime)
