"""Which day is meant: the arithmetic behind 'next Tuesday' and 'the fifth', the same in every language."""

from __future__ import annotations

from datetime import date, timedelta

MAX_YEARS_AHEAD = 9
"""A 29 February is at most 8 years away (1896 to 1904, 2096 to 2104)."""


def coming_weekday(weekday: int, today: date) -> date:
    """Return the first such day after today. weekday: 0 is Monday."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def weekday_of_next_week(weekday: int, today: date) -> date:
    """Return that day of the next calendar week (weeks start on Monday)."""
    return today - timedelta(days=today.weekday()) + timedelta(days=7 + weekday)


def coming_day_of_month(day: int, today: date) -> date | None:
    """Return the first date from today on with this day of the month."""
    year, month = today.year, today.month
    for _ in range(12):
        found = valid_date(year, month, day)
        if found is not None and found >= today:
            return found
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return None


def coming_date(month: int, day: int, today: date) -> date | None:
    """Return the first date from today on with this month and day."""
    for year in range(today.year, today.year + MAX_YEARS_AHEAD):
        found = valid_date(year, month, day)
        if found is not None and found >= today:
            return found
    return None


def valid_date(year: int, month: int, day: int) -> date | None:
    """Return the date, or None where the calendar has no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None
