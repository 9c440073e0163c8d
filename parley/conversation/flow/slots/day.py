"""A day. Value: the ISO date (`2026-03-05`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from parley.conversation.flow.languages import Language, scan
from parley.conversation.flow.languages.base import is_digits
from parley.conversation.flow.languages.calendar import coming_date, coming_weekday
from parley.conversation.flow.phrases import Speech, parse_speech
from parley.conversation.flow.schema import WEEKDAYS
from parley.conversation.flow.slots.base import Context, Saying, choose
from parley.conversation.flow.step import AnswerKind, KeyPlan


class DaySlot:
    """A day slot."""

    kind = AnswerKind.DAY
    takes_zero = False

    def __init__(self, language: Language, earliest: int, latest: int, open_on: Sequence[str]) -> None:
        """earliest, latest: days from today. open_on: names of weekdays."""
        self._language = language
        self._earliest = earliest
        self._latest = latest
        self._open_on = frozenset(WEEKDAYS.index(name) for name in open_on)

    def find(self, words: Sequence[str], context: Context) -> str | None:
        """Return the day."""
        hits = scan(words, lambda some: self._language.parse_day(some, context.today))
        day = choose(hits, words, self._language)
        return None if day is None else day.isoformat()

    def holds(self, value: str) -> bool:
        """ISO dates."""
        try:
            return date.fromisoformat(value).isoformat() == value
        except ValueError:
            return False

    def complain(self, value: str, context: Context) -> Saying | None:
        """Complain of a day that is closed, too early or too late."""
        day = date.fromisoformat(value)
        if day.weekday() not in self._open_on:
            return Saying("closed_day", {"value": self._language.say_weekday(day.weekday())})
        if not timedelta(days=self._earliest) <= day - context.today <= timedelta(days=self._latest):
            return Saying("day_out_of_range", {"value": self._language.say_day(day, context.today)})
        return None

    def say(self, value: str, context: Context) -> str:
        """Write the day as seen from today."""
        return self._language.say_day(date.fromisoformat(value), context.today)

    def key_plan(self) -> KeyPlan:
        """One key, or four."""
        return KeyPlan(min_digits=1, max_digits=4)

    def from_keys(self, digits: str, context: Context) -> str | None:
        """1 to 7 is the next Monday to Sunday, 8 today, 9 tomorrow; four digits are month and day."""
        day: date | None = None
        if len(digits) == 1 and "1" <= digits <= "7":
            day = coming_weekday(int(digits) - 1, context.today)
        elif digits in ("8", "9"):
            day = context.today + timedelta(days=int(digits) - 8)
        elif len(digits) == 4 and is_digits(digits):
            day = coming_date(int(digits[:2]), int(digits[2:]), context.today)
        return None if day is None else day.isoformat()

    def key_sayings(self) -> Sequence[Saying]:
        """Return the sayings that announce the keys."""
        return (Saying("day_keys"),)

    def speech(self) -> Speech:
        """Return how days are said."""
        wording = self._language.day_wording()
        return parse_speech(wording.phrases, wording.rules, self._language.words, wording.short)
