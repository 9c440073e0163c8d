"""What the doctor reports: one finding per check, each with its fix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Calls work; something beside them does not."""
    PROBLEM = "problem"
    """Calls would fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    level: Level
    check: str
    """What was looked at, two or three words."""
    detail: str
    """What was found."""
    fix: str = ""
    """What to do about it; empty when there is nothing to do."""


def ok(check: str, detail: str) -> Finding:
    """Report that a check passed."""
    return Finding(Level.OK, check, detail)


def warning(check: str, detail: str, fix: str) -> Finding:
    """Report something that does not keep calls from working."""
    return Finding(Level.WARNING, check, detail, fix)


def problem(check: str, detail: str, fix: str) -> Finding:
    """Report something that makes calls fail."""
    return Finding(Level.PROBLEM, check, detail, fix)
