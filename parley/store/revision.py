"""Which form a database has, told without Alembic: loading that takes longer than all the rest of a start."""

from __future__ import annotations

from sqlalchemy import Connection, text

NEWEST = "0003"
"""The newest of `migrations/versions/`; a test compares."""


def current_revision(connection: Connection) -> str | None:
    """Return the database's schema revision; None when it has no tables yet."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if revision is None else str(revision)
