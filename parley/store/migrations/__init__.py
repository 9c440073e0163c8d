"""Alembic's migrations of the record; `upgrade` brings a database to the newest one.

Run by `Database.open()` inside one transaction: a process that dies half way leaves the old schema.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from parley.store.errors import SchemaTooNew


def newest_revision() -> str:
    """Return the revision that this Parley works with."""
    (newest,) = ScriptDirectory.from_config(configuration()).get_heads()
    return newest


def check_known(revision: str | None, place: str) -> None:
    """Raise SchemaTooNew when the revision is none of ours."""
    if revision is None:
        return
    try:
        ScriptDirectory.from_config(configuration()).get_revision(revision)
    except CommandError as err:
        raise SchemaTooNew(
            f"{place} has schema {revision}, this Parley knows up to {newest_revision()}: a newer Parley has "
            "written it; install that version again, or let data_dir name another folder"
        ) from err


def upgrade(connection: Connection) -> None:
    """Bring the database behind this connection, which is inside a transaction, to the newest schema."""
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def configuration() -> Config:
    """Return Alembic's configuration; there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", "parley.store:migrations")
    config.set_main_option("path_separator", "os")
    return config
