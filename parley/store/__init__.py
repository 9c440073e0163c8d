"""The call record in SQL: SQLite by default, written so that PostgreSQL serves as well."""

from parley.store.archive import CallArchive
from parley.store.call_log import SqlCallLog
from parley.store.database import Database
from parley.store.errors import (
    AmbiguousCall,
    RecordConflict,
    SchemaTooNew,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
    UnknownCall,
)
from parley.store.records import CallOverview, CallRecord, InterruptedCall, TurnLatency

__all__ = [
    "AmbiguousCall",
    "CallArchive",
    "CallOverview",
    "CallRecord",
    "Database",
    "InterruptedCall",
    "RecordConflict",
    "SchemaTooNew",
    "SqlCallLog",
    "StoreDamaged",
    "StoreError",
    "StoreUnavailable",
    "TurnLatency",
    "UnknownCall",
]
