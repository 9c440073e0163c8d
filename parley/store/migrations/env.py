"""Alembic's entry: run migrations on the connection that `upgrade` provides."""

from __future__ import annotations

from alembic import context

from parley.store.models import Row

context.configure(connection=context.config.attributes["connection"], target_metadata=Row.metadata)
with context.begin_transaction():
    context.run_migrations()
