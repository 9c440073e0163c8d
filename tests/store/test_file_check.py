"""What the doctor may learn from the record's file, and that it leaves no trace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from parley.store import Database, SchemaTooNew, StoreDamaged, StoreUnavailable
from parley.store.file_check import check_file
from parley.store.revision import NEWEST


async def made_record(folder: Path) -> Path:
    file = folder / "parley.db"
    await (await Database.open(f"sqlite+aiosqlite:///{file}")).aclose()
    return file


async def test_revision_is_told_and_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    file = await made_record(tmp_path)
    before = file.read_bytes()
    assert check_file(file) == NEWEST
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["parley.db"]


async def test_record_that_a_node_has_open_can_be_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "parley.db"
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    try:
        await database.check_writable()
        assert check_file(file) == NEWEST
    finally:
        await database.aclose()


async def test_record_of_a_newer_parley_is_told_with_what_to_do(tmp_path: Path) -> None:
    file = await made_record(tmp_path)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(SchemaTooNew, match="install that version again"):
        check_file(file)


def test_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "parley.db"
    file.write_text("This is no database, and it is longer than the header of one would be. " * 20)
    with pytest.raises(StoreDamaged, match="restore a backup"):
        check_file(file)


def test_file_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        check_file(tmp_path / "parley.db")


def test_file_without_tables_has_no_revision(tmp_path: Path) -> None:
    file = tmp_path / "parley.db"
    file.touch()
    assert check_file(file) == ""
