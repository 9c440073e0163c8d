"""English days: words to dates and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta

from parley.conversation.flow.languages.base import Wording
from parley.conversation.flow.languages.calendar import (
    coming_date,
    coming_day_of_month,
    coming_weekday,
    valid_date,
    weekday_of_next_week,
)
from parley.conversation.flow.languages.en_numbers import parse_number

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
    *("twentieth", "twenty first", "twenty second", "twenty third", "twenty fourth", "twenty fifth"),
    *("twenty sixth", "twenty seventh", "twenty eighth", "twenty ninth", "thirtieth", "thirty first"),
)

_WEEKDAY = {name.lower(): index for index, name in enumerate(WEEKDAYS)}
_MONTH = {name.lower(): index for index, name in enumerate(MONTHS, start=1)}
_ORDINAL = {name: index for index, name in enumerate(ORDINALS, start=1)}
_FIXED = {
    ("today",): 0,
    ("tomorrow",): 1,
    ("day", "after", "tomorrow"): 2,
    ("the", "day", "after", "tomorrow"): 2,
}


def parse_day(words: Sequence[str], today: date) -> date | None:
    """Return the day that the words are.

    A bare weekday is the next such day after today; 'next Tuesday' is that of the next calendar week (Monday to
    Sunday); a date without a year is the next one from today on.
    """
    said = tuple(words)
    if said in _FIXED:
        return today + timedelta(days=_FIXED[said])
    if len(said) == 3 and said[0] == "in" and said[2] in ("days", "day"):
        days = 1 if said[1] == "a" else parse_number(said[1:2])
        return today + timedelta(days=days) if days is not None and days < 1000 else None
    if len(said) == 2 and said[1] in _WEEKDAY and said[0] in ("this", "next", "coming"):
        weekday = _WEEKDAY[said[1]]
        return weekday_of_next_week(weekday, today) if said[0] == "next" else coming_weekday(weekday, today)
    if said and said[0] in _WEEKDAY:
        if len(said) == 1:
            return coming_weekday(_WEEKDAY[said[0]], today)
        named = _parse_date(said[1:], today)
        return named if named is not None and named.weekday() == _WEEKDAY[said[0]] else None
    return _parse_date(said, today)


def _parse_date(words: tuple[str, ...], today: date) -> date | None:
    if len(words) == 3 and re.fullmatch(r"[0-9]{4} [0-9]{1,2} [0-9]{1,2}", " ".join(words)):
        return valid_date(int(words[0]), int(words[1]), int(words[2]))
    if len(words) > 2 and re.fullmatch(r"20[0-9]{2}", words[-1]):
        found = _parse_date(words[:-1], today)
        return None if found is None else valid_date(int(words[-1]), found.month, found.day)
    with_article = words[:1] == ("the",)
    rest = words[1:] if with_article else words
    if rest and rest[0] in _MONTH and not with_article:
        day = _parse_day_of_month(rest[2:] if rest[1:2] == ("the",) else rest[1:], cardinal=True)
        return None if day is None else coming_date(_MONTH[rest[0]], day, today)
    if len(rest) > 1 and rest[-1] in _MONTH:
        day = _parse_day_of_month(rest[:-2] if rest[-2] == "of" else rest[:-1], cardinal=True)
        return None if day is None else coming_date(_MONTH[rest[-1]], day, today)
    day = _parse_day_of_month(rest, cardinal=False)
    return None if day is None else coming_day_of_month(day, today)


def _parse_day_of_month(words: tuple[str, ...], cardinal: bool) -> int | None:
    """cardinal: 'five' and '5' will do as well as 'fifth' and '5th'."""
    text = " ".join(words)
    if text in _ORDINAL:
        return _ORDINAL[text]
    if match := re.fullmatch(r"([0-9]{1,2})(?:st|nd|rd|th)", text):
        day: int | None = int(match.group(1))
    else:
        day = parse_number(words) if cardinal else None
    return day if day is not None and 1 <= day <= 31 else None


def say_day(day: date, today: date) -> str:
    """Write a day as seen from today: 'today', 'tomorrow', 'Thursday', or with its date when further away."""
    days = (day - today).days
    if days in (0, 1):
        return ("today", "tomorrow")[days]
    return WEEKDAYS[day.weekday()] if 1 < days < 7 else say_date(day)


def say_date(day: date) -> str:
    """Write a day with its date: 'Thursday, March fifth'."""
    return f"{WEEKDAYS[day.weekday()]}, {MONTHS[day.month - 1]} {ORDINALS[day.day - 1]}"


DAY_WORDING = Wording(
    phrases=(
        "today",
        "tomorrow",
        "day after tomorrow",
        "(this | next) <weekday>",
        "<weekday> [the <ordinal>]",
        "<month> [the] <ordinal>",
        "the (day after tomorrow | <ordinal> [of <month>])",
    ),
    rules={
        "weekday": tuple(name.lower() for name in WEEKDAYS),
        "month": tuple(name.lower() for name in MONTHS),
        "ordinal": (*ORDINALS[:20], f"twenty ({' | '.join(ORDINALS[:9])})", "thirtieth", "thirty first"),
    },
    short=("<weekday>", "today", "tomorrow"),
)
