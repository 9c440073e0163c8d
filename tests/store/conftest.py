"""A fresh database for each test of the store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley.store import CallArchive, Database, SqlCallLog


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records" / "parley.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = await Database.open(url)
    yield opened
    await opened.aclose()


@pytest.fixture
def log(database: Database) -> SqlCallLog:
    return SqlCallLog(database)


@pytest.fixture
def archive(database: Database) -> CallArchive:
    return CallArchive(database)
