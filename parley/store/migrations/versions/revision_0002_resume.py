"""The node that serves a call, and where another process can take the call up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add: a node of the version before goes on writing while its last calls end."""
    op.add_column("call", sa.Column("node", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "resume_point",
        sa.Column("call", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("call", name="pk_resume_point"),
        sa.ForeignKeyConstraint(["call"], ["call.id"], name="fk_resume_point_call"),
    )
