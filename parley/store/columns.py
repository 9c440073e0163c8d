"""Column types that behave the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import JSON, DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[float]):
    """Seconds since the epoch in Python, a UTC timestamp in the database, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> datetime | None:
        """Turn seconds into a UTC timestamp."""
        return None if value is None else datetime.fromtimestamp(value, UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> float | None:
        """Turn a timestamp into seconds; SQLite returns it without its zone, which is UTC."""
        if value is None:
            return None
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


class ForeignText(TypeDecorator[str]):
    """Text of any origin: a caller's name or number never makes recording fail.

    Lone surrogates (undecodable octets of a SIP header) and NUL, which databases refuse, become U+FFFD.
    """

    impl = Text()
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what a database cannot hold."""
        return None if value is None else storable(value)


class ForeignTexts(TypeDecorator[Mapping[str, str]]):
    """Names and texts as JSON, the texts of any origin."""

    impl = JSON()
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, str] | None, dialect: Dialect) -> dict[str, str] | None:
        """Replace what a database cannot hold."""
        return None if value is None else {storable(name): storable(text) for name, text in value.items()}


def storable(text: str) -> str:
    """Return the text with everything that databases refuse replaced by U+FFFD."""
    if text.isprintable():
        return text
    return "".join("\ufffd" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text)
