"""The database behind the record: opened, brought to the newest schema, kept safe. Used by app and by the CLI.

What survives on SQLite: WAL with `synchronous=FULL`. A committed fact survives the death of the process at any
moment (the write has reached the operating system) and a power cut too (the log is flushed at every commit),
as far as the disk honours a flush; one that lies about it may lose its last commits, never the file's
consistency. `synchronous=NORMAL` would survive the process, but not the power cut. A flush costs a few ms on a
thread of the driver's own, never on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from parley.store.errors import StoreError
from parley.store.failures import translated
from parley.store.models import WriteProbeRow
from parley.store.revision import NEWEST, current_revision

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 2000
"""How long a statement waits for another program's lock before StoreUnavailable; a call may be waiting with it."""
POOL_TIMEOUT_S = 10.0
"""How long a record waits for those before it."""
MEMORY = ":memory:"
FILE_MODE = 0o640
FOLDER_MODE = 0o750
SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


class Database:
    """An open database. Make one with `await Database.open(url)`; close it with `aclose()`."""

    def __init__(self, engine: AsyncEngine, place: str) -> None:
        """Use `open()` instead, which also checks and upgrades the schema."""
        self._engine = engine
        self.place = place
        """File or URL (without password), for messages."""

    @classmethod
    async def open(cls, url: str) -> Database:
        """Open the database and bring it to the newest schema; file and folder are made when missing.

        url: SQLAlchemy's, with an asynchronous driver: `sqlite+aiosqlite:///FILE`, `postgresql+asyncpg://…`.
        Raises StoreUnavailable, StoreDamaged, SchemaTooNew; StoreError when the URL is malformed.
        """
        try:
            parsed = make_url(url)
            on_sqlite = parsed.get_backend_name() == "sqlite"
            engine = _sqlite_engine(url) if on_sqlite else _server_engine(url)
        except (ArgumentError, InvalidRequestError, ImportError) as err:
            raise StoreError(
                "the database URL names no database that can be reached from here: write sqlite+aiosqlite:///FILE, "
                "or postgresql+asyncpg://… where asyncpg is installed"
            ) from err
        place = (parsed.database or MEMORY) if on_sqlite else parsed.render_as_string(hide_password=True)
        if on_sqlite and place != MEMORY:
            with translated(place):
                await asyncio.to_thread(_prepare_file, Path(place))
        database = cls(engine, place)
        try:
            await database._bring_up_to_date()
        except BaseException:
            await database.aclose()
            raise
        return database

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Give a session that sees one consistent state; nothing it changes is kept. Raises StoreError."""
        with translated(self.place):
            async with AsyncSession(self._engine) as session:
                yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose changes are committed when the block ends without an error. Raises StoreError.

        The lock is taken at the start. Cancelling: either everything was committed or nothing; the cancelled
        task ends when the statement under way does, at most BUSY_TIMEOUT_MS later.
        """
        with translated(self.place):
            engine = self._engine.execution_options(sqlite_begin="IMMEDIATE")
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                yield session

    async def check_writable(self) -> None:
        """Write and commit one small row. Raises StoreUnavailable with a message that says what to do."""
        async with self.writing() as session:
            await session.merge(WriteProbeRow(id=1, written_at=time.time()))

    async def aclose(self) -> None:
        """Close all connections. May be called twice."""
        await self._engine.dispose()

    async def _bring_up_to_date(self) -> None:
        """Upgrade when behind. A database that is up to date is only read: looking at it needs no write lock."""
        async with self.reading() as session:
            connection = await session.connection()
            revision = await connection.run_sync(current_revision)
        if revision == NEWEST:
            return
        from parley.store import migrations  # noqa: PLC0415 (a start in mid-call cannot wait for Alembic)

        migrations.check_known(revision, self.place)
        logger.info("upgrading the database", extra={"place": self.place, "from": revision, "to": NEWEST})
        async with self.writing() as session:
            connection = await session.connection()
            await connection.run_sync(migrations.upgrade)


def _prepare_file(file: Path) -> None:
    """Make folder and file with narrow modes, and see whether SQLite can read the file.

    SQLite gives its -wal and -shm files the mode of the file. Opening it here first matters: where a connection
    cannot be made, aiosqlite leaves a thread behind that complains when the event loop has gone.
    """
    file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if not file.exists():
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    with closing(sqlite3.connect(file, timeout=BUSY_TIMEOUT_MS / 1000)) as connection:
        connection.execute("PRAGMA schema_version")


def _sqlite_engine(url: str) -> AsyncEngine:
    """Return an engine with one connection: SQLite has one writer, and waiting in our queue is fair."""
    engine = create_async_engine(
        url,
        hide_parameters=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
    )
    _listen(engine.sync_engine)
    return engine


def _server_engine(url: str) -> AsyncEngine:
    return create_async_engine(url, hide_parameters=True, pool_pre_ping=True)


def _listen(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        # SQLAlchemy begins transactions (below), not the driver, whose own BEGIN would come too late for DDL.
        adapted: Any = connection
        adapted.isolation_level = None
        cursor = connection.cursor()
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # IMMEDIATE: a transaction that reads before it writes cannot wait for a lock half way (SQLITE_BUSY at once).
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('sqlite_begin', 'DEFERRED')}")
