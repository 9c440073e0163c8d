"""Look at the record's SQLite file without opening it for writing; asked for by `parley doctor`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from parley.store import migrations
from parley.store.failures import translated


def check_file(file: Path) -> str:
    """Return the schema revision of a database, empty when it has none yet; nothing is changed.

    Raises SchemaTooNew, StoreDamaged, StoreUnavailable.
    """
    # Beside a -wal file there is, or was, a writer, whose newest pages are in it. Without one SQLite would make one.
    mode = "mode=ro" if file.with_name(file.name + "-wal").exists() else "mode=ro&immutable=1"
    with translated(str(file)), closing(sqlite3.connect(f"{file.absolute().as_uri()}?{mode}", uri=True)) as connection:
        has_tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if has_tables else None
    revision = str(row[0]) if row else ""
    migrations.check_known(revision or None, str(file))
    return revision
