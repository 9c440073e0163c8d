import asyncio
import errno
import sqlite3
import stat
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from parley.store import (
    CallArchive,
    Database,
    SchemaTooNew,
    SqlCallLog,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
)
from parley.store.failures import translated
from parley.store.migrations import newest_revision
from parley.store.models import Row
from parley.store.revision import NEWEST
from tests.store.calls import START


def contents(file: Path) -> bytes:
    return file.read_bytes()


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A file that only has a database's name."""
    file = tmp_path / "parley.db"
    file.write_bytes(b"this is not a database, whatever its name says\n" * 50)
    return file


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, Row.metadata))


async def value(database: Database, query: str) -> object:
    async with database.reading() as session:
        connection = await session.connection()
        return (await connection.exec_driver_sql(query)).scalar()


async def test_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    async with database.reading() as session:
        connection = await session.connection()
        assert await connection.run_sync(differences) == []


def test_newest_revision_is_the_last_of_the_migrations() -> None:
    assert newest_revision() == NEWEST


async def test_the_comparison_with_the_models_sees_a_missing_column_and_a_missing_index(database: Database) -> None:
    async with database.writing() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("ALTER TABLE turn DROP COLUMN barge_in_ms")
        await connection.exec_driver_sql("DROP INDEX uq_call_open")
        assert len(await connection.run_sync(differences)) == 2


def test_tables_can_be_made_on_postgresql() -> None:
    dialect: Dialect = import_module("sqlalchemy.dialects.postgresql").dialect()
    tables = [str(CreateTable(table).compile(dialect=dialect)) for table in Row.metadata.sorted_tables]
    indexes = [
        str(CreateIndex(index).compile(dialect=dialect))
        for table in Row.metadata.tables.values()
        for index in table.indexes
    ]
    assert "TIMESTAMP WITH TIME ZONE" in tables[0]
    assert any("UNIQUE INDEX uq_call_open ON call (call_id) WHERE ended_at IS NULL" in index for index in indexes)


async def test_file_and_folder_are_made_readable_by_owner_and_group_only(database: Database, file: Path) -> None:
    await SqlCallLog(database).call_started(START)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (file.parent, *file.parent.iterdir())}
    assert "parley.db-wal" in modes
    assert all(mode & 0o027 == 0 for mode in modes.values()), modes


async def test_commits_are_flushed_and_references_checked(database: Database) -> None:
    assert await value(database, "PRAGMA journal_mode") == "wal"
    assert await value(database, "PRAGMA synchronous") == 2, "FULL: a commit survives a power cut"
    assert await value(database, "PRAGMA foreign_keys") == 1


async def test_reopening_keeps_what_was_recorded(url: str) -> None:
    first = await Database.open(url)
    await SqlCallLog(first).call_started(START)
    await first.aclose()
    second = await Database.open(url)
    [record] = await CallArchive(second).find(START.call_id)
    await second.aclose()
    assert record.start == START


async def test_database_of_a_newer_parley_is_refused_untouched(url: str, file: Path) -> None:
    await (await Database.open(url)).aclose()
    with sqlite3.connect(file) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    before = contents(file)
    with pytest.raises(SchemaTooNew, match=r"schema 9999, this Parley knows up to \d+: a newer Parley"):
        await Database.open(url)
    assert contents(file) == before


async def test_two_processes_that_open_a_missing_database_at_once_both_succeed(url: str) -> None:
    opened = await asyncio.gather(*(Database.open(url) for _ in range(4)))
    for database in opened:
        await database.check_writable()
        await database.aclose()


async def test_failed_migration_leaves_no_half_made_schema(url: str, file: Path) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE note (mine TEXT)")
    with pytest.raises(StoreError):
        await Database.open(url)
    tables = [name for (name,) in other.execute("SELECT name FROM sqlite_master")]
    other.close()
    assert tables == ["note"]


async def test_database_that_is_up_to_date_opens_while_another_program_writes(url: str, file: Path) -> None:
    await (await Database.open(url)).aclose()
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(2):
        database = await Database.open(url)
        assert await CallArchive(database).recent() == []
        await database.aclose()
    writer.close()


async def test_file_that_is_no_database_is_reported_with_a_way_out(letter: Path) -> None:
    with pytest.raises(StoreDamaged, match="restore a backup"):
        await Database.open(f"sqlite+aiosqlite:///{letter}")


async def test_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await Database.open(f"sqlite+aiosqlite:///{tmp_path}/occupied/parley.db")


async def test_folder_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened for writing"):
        await Database.open(f"sqlite+aiosqlite:///{tmp_path}")


@pytest.mark.parametrize(
    "unusable",
    ["parley.db", "sqlite:///parley.db", "nosuch://host/db", "postgresql+nosuchdriver://parley:hunter2@db/x"],
)
async def test_unusable_url_is_reported_with_one_that_works(unusable: str) -> None:
    with pytest.raises(StoreError, match=r"write sqlite\+aiosqlite:///FILE") as caught:
        await Database.open(unusable)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.EACCES, "must belong to the user"),
        (errno.EROFS, "mounted read-write"),
        (errno.ENOSPC, "disk is full"),
        (errno.EIO, "dmesg"),
        (errno.ENETUNREACH, "unreachable"),
    ],
)
def test_failures_of_the_file_system_say_what_to_do(code: int, advice: str) -> None:
    with pytest.raises(StoreUnavailable, match=advice), translated("parley.db"):
        raise OSError(code, "Network is unreachable" if code == errno.ENETUNREACH else "x")


async def test_writable_database_passes_the_check_again_and_again(database: Database) -> None:
    await database.check_writable()
    await database.check_writable()
    assert await value(database, "SELECT count(*) FROM write_probe") == 1


async def test_check_fails_when_nothing_can_be_written(database: Database) -> None:
    async with database.reading() as session:
        await (await session.connection()).exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable):
        await database.check_writable()


async def test_closing_twice_is_harmless(url: str) -> None:
    database = await Database.open(url)
    await database.aclose()
    await database.aclose()
