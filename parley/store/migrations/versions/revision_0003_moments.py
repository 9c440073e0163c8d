"""When each stage of a turn's response was reached."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENTS = ("last_speech", "endpoint", "final", "first_token", "speech_ready", "first_sound")


def upgrade() -> None:
    """Only add: a node of the version before goes on writing while its last calls end."""
    for moment in MOMENTS:
        op.add_column("turn", sa.Column(f"{moment}_at_ms", sa.Integer()))
