"""Tables of the call record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    create_call()
    create_leg()
    create_turn()
    create_note()
    create_outcome()
    op.create_table(
        "write_probe",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_write_probe"),
    )


def create_call() -> None:
    op.create_table(
        "call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_ms", sa.Integer()),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_call"),
    )
    op.create_index("ix_call_started_at", "call", ["started_at"])
    op.create_index("ix_call_call_id", "call", ["call_id"])
    still_open = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_call_open", "call", ["call_id"], unique=True, sqlite_where=still_open, postgresql_where=still_open
    )


def create_leg() -> None:
    op.create_table(
        "leg",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call", sa.Integer(), nullable=False),
        sa.Column("leg_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("ani", sa.Text(), nullable=False),
        sa.Column("dnis", sa.Text(), nullable=False),
        sa.Column("hangup_cause", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_leg"),
        sa.ForeignKeyConstraint(["call"], ["call.id"], name="fk_leg_call"),
    )
    op.create_index("ix_leg_call", "leg", ["call"])


def create_turn() -> None:
    stages = ("endpoint_ms", "asr_ms", "llm_ms", "tts_ms", "playout_ms", "response_ms", "barge_in_ms")
    op.create_table(
        "turn",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.Integer(), nullable=False),
        sa.Column("caller_text", sa.Text(), nullable=False),
        sa.Column("caller_keys", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("rejected", sa.Boolean(), nullable=False),
        sa.Column("interrupted_agent", sa.Boolean(), nullable=False),
        sa.Column("agent_text", sa.Text(), nullable=False),
        sa.Column("agent_heard", sa.Text(), nullable=False),
        *(sa.Column(stage, sa.Integer()) for stage in stages),
        sa.PrimaryKeyConstraint("id", name="pk_turn"),
        sa.UniqueConstraint("call", "number", name="uq_turn_call_number"),
        sa.ForeignKeyConstraint(["call"], ["call.id"], name="fk_turn_call"),
    )


def create_note() -> None:
    op.create_table(
        "note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.Integer(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_note"),
        sa.ForeignKeyConstraint(["call"], ["call.id"], name="fk_note_call"),
    )
    op.create_index("ix_note_call", "note", ["call"])


def create_outcome() -> None:
    op.create_table(
        "outcome",
        sa.Column("call", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("transferred_to", sa.Text(), nullable=False),
        sa.Column("slots", sa.JSON(), nullable=False),
        sa.Column("recording", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("call", name="pk_outcome"),
        sa.ForeignKeyConstraint(["call"], ["call.id"], name="fk_outcome_call"),
    )
    op.create_index("ix_outcome_outcome", "outcome", ["outcome"])
