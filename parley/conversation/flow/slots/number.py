"""A quantity. Value: the number in decimal digits."""

from __future__ import annotations

from collections.abc import Sequence

from parley.conversation.flow.languages import Language, scan
from parley.conversation.flow.languages.base import is_digits
from parley.conversation.flow.phrases import Speech, parse_speech
from parley.conversation.flow.slots.base import Context, Saying, choose
from parley.conversation.flow.step import AnswerKind, KeyPlan

MAX_DIGITS = 6
"""Of the highest number that every language can say."""


class NumberSlot:
    """A number slot."""

    kind = AnswerKind.NUMBER

    def __init__(self, language: Language, lowest: int, highest: int) -> None:
        self._language = language
        self._lowest = lowest
        self._highest = highest
        self.takes_zero = lowest == 0

    def find(self, words: Sequence[str], context: Context) -> str | None:
        """Return the number."""
        number = choose(scan(words, self._language.parse_number), words, self._language)
        return None if number is None else str(number)

    def holds(self, value: str) -> bool:
        """Numbers that can be said."""
        return is_digits(value) and len(value) <= MAX_DIGITS

    def complain(self, value: str, context: Context) -> Saying | None:
        """Complain of a number out of range."""
        if self._lowest <= int(value) <= self._highest:
            return None
        lowest, highest = (self._language.say_number(number) for number in (self._lowest, self._highest))
        return Saying("out_of_range", {"lowest": lowest, "highest": highest})

    def say(self, value: str, context: Context) -> str:
        """Write the number in words."""
        return self._language.say_number(int(value))

    def key_plan(self) -> KeyPlan:
        """As many keys as the highest number has digits."""
        return KeyPlan(min_digits=1, max_digits=len(str(self._highest)))

    def from_keys(self, digits: str, context: Context) -> str | None:
        """The keys are the number."""
        return str(int(digits)) if is_digits(digits) and len(digits) <= MAX_DIGITS else None

    def key_sayings(self) -> Sequence[Saying]:
        """Return the sayings that announce the keys."""
        return (Saying("number_keys"),)

    def speech(self) -> Speech:
        """Return how such numbers are said."""
        wording = self._language.number_wording(self._highest)
        return parse_speech(wording.phrases, wording.rules, self._language.words, wording.short)
