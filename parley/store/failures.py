"""Translate what SQLAlchemy and the drivers raise into the store's own errors."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from parley.store.errors import RecordConflict, StoreDamaged, StoreError, StoreUnavailable

LOCKED = "{place} is locked by another program: `fuser -v` on the file shows which one; stop it or let it finish"
FULL = "{place}: the disk is full: free some space; recording goes on by itself"
NOT_WRITABLE = (
    "{place} cannot be opened for writing: the file, its -wal and -shm neighbours and their folder must belong "
    "to the user that Parley runs as (`ls -la` shows who owns them), on a file system mounted read-write"
)
BROKEN_DISK = "{place}: the disk failed to read or write: look at `dmesg` and at the file system"
DAMAGED = (
    "{place} is not a usable database: move it away and restore a backup, or save what can be read with "
    "`sqlite3 FILE .recover`"
)

UNREACHABLE = "{place} cannot be reached: {why}"

SQLITE_MESSAGES = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: NOT_WRITABLE,
    sqlite3.SQLITE_PERM: NOT_WRITABLE,
    sqlite3.SQLITE_IOERR: BROKEN_DISK,
}
"""By primary result code (https://sqlite.org/rescode.html): the low eight bits of the extended code."""

ERRNO_MESSAGES = {
    errno.EACCES: NOT_WRITABLE,
    errno.EPERM: NOT_WRITABLE,
    errno.EROFS: NOT_WRITABLE,
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EIO: BROKEN_DISK,
}

SQLITE_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raise StoreError where SQLAlchemy, a driver or the file system fails.

    place: the database as an administrator knows it, without its password.
    """
    try:
        yield
    except PoolTimeout as err:
        raise StoreUnavailable(
            f"{place} does not keep up: a record waited too long for its turn; look at the disk's load"
        ) from err
    except (SQLAlchemyError, sqlite3.Error) as err:
        raise _translate(err, place) from err
    except OSError as err:
        message = ERRNO_MESSAGES.get(err.errno or 0, UNREACHABLE)
        raise StoreUnavailable(message.format(place=place, why=err.strerror or type(err).__name__)) from err


def _translate(err: SQLAlchemyError | sqlite3.Error, place: str) -> StoreError:
    if isinstance(err, IntegrityError):
        return RecordConflict("this contradicts what is recorded already: the call is open, or the turn was recorded")
    cause = err.orig if isinstance(err, DBAPIError) else err
    if isinstance(cause, sqlite3.Error):
        return _translate_sqlite(cause, place)
    if isinstance(err, DBAPIError):
        return StoreUnavailable(f"{place} refused ({type(cause).__name__}): see the database server's own log")
    return StoreError(f"{place}: {type(err).__name__}; this is a fault in Parley, please report it with the log")


def _translate_sqlite(cause: sqlite3.Error, place: str) -> StoreError:
    extended = getattr(cause, "sqlite_errorcode", None)
    code = None if extended is None else extended & 0xFF
    if code in SQLITE_DAMAGE:
        return StoreDamaged(DAMAGED.format(place=place))
    if code in SQLITE_MESSAGES:
        return StoreUnavailable(SQLITE_MESSAGES[code].format(place=place))
    name = getattr(cause, "sqlite_errorname", type(cause).__name__)
    return StoreError(f"{place}: SQLite reports {name}")
