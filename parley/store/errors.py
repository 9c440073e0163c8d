"""Errors of the store; no SQLAlchemy or driver error leaves this package.

They are RecordErrors, as `parley.conversation.ports.CallLog` wants them.

StoreError
├── UnknownCall         the caller's: no call has this id, or none that is still open
├── AmbiguousCall       the caller's: several calls begin with this id
├── RecordConflict      ours: the same fact was recorded twice
├── SchemaTooNew        the site's: a newer Parley has written this database
├── StoreDamaged        the site's: the file is not a usable database
└── StoreUnavailable    the site's: locked, disk full, not writable, no connection (retryable)
"""

from __future__ import annotations

from parley.conversation.errors import RecordError


class StoreError(RecordError):
    """Root of everything that the store raises. Messages say what to do and hold no personal data."""

    code = "store"
    """Stable name for metrics and logs."""
    retryable = False
    """Whether the same request may succeed later without any change."""


class UnknownCall(StoreError):
    """No call has this id (when recording: no call with this id is open)."""

    code = "unknown_call"


class AmbiguousCall(StoreError):
    """The id is the beginning of several calls' ids."""

    code = "ambiguous_call"


class RecordConflict(StoreError):
    """The fact contradicts what is recorded: a call that is open already, a turn number used before."""

    code = "record_conflict"


class SchemaTooNew(StoreError):
    """The database was written by a newer Parley, whose tables this one does not know."""

    code = "schema_too_new"


class StoreDamaged(StoreError):
    """The file is not a database, or is corrupt."""

    code = "store_damaged"


class StoreUnavailable(StoreError):
    """The database cannot be used now: locked, disk full, not writable, or no connection."""

    code = "store_unavailable"
    retryable = True
