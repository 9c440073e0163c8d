"""A run of digits: a membership or account number. Value: the digits."""

from __future__ import annotations

from collections.abc import Sequence

from parley.conversation.flow.languages import Language, scan
from parley.conversation.flow.languages.base import is_digits
from parley.conversation.flow.phrases import Speech, parse_speech
from parley.conversation.flow.slots.base import Context, Saying, choose
from parley.conversation.flow.step import AnswerKind, KeyPlan


class DigitsSlot:
    """A digits slot."""

    kind = AnswerKind.DIGITS

    def __init__(self, language: Language, shortest: int, longest: int) -> None:
        self._language = language
        self._shortest = shortest
        self._longest = longest
        self.takes_zero = shortest == 1

    def find(self, words: Sequence[str], context: Context) -> str | None:
        """Return the digits; runs of the right length are preferred over stray ones ('I have one: …')."""
        hits = scan(words, self._language.parse_digits)
        fitting = [hit for hit in hits if self._shortest <= len(hit.value) <= self._longest]
        return choose(fitting or hits, words, self._language)

    def holds(self, value: str) -> bool:
        """Digits, not too many."""
        return is_digits(value) and len(value) <= self._longest

    def complain(self, value: str, context: Context) -> Saying | None:
        """Complain of a wrong length."""
        if self._shortest <= len(value) <= self._longest:
            return None
        exact = self._shortest == self._longest
        return (
            Saying("wrong_length", {"length": str(self._longest)})
            if exact
            else Saying("digits_keys_range", {"shortest": str(self._shortest), "longest": str(self._longest)})
        )

    def say(self, value: str, context: Context) -> str:
        """Write the digits to be read one by one."""
        return self._language.say_digits(value)

    def key_plan(self) -> KeyPlan:
        """As many keys as digits; fewer are taken too, so that 0 alone reaches a person."""
        return KeyPlan(min_digits=1, max_digits=self._longest)

    def from_keys(self, digits: str, context: Context) -> str | None:
        """The keys are the digits."""
        return digits if is_digits(digits) else None

    def key_sayings(self) -> Sequence[Saying]:
        """Return the sayings that announce the keys."""
        if self._shortest == self._longest:
            return (Saying("digits_keys", {"longest": str(self._longest)}),)
        return (Saying("digits_keys_range", {"shortest": str(self._shortest), "longest": str(self._longest)}),)

    def speech(self) -> Speech:
        """Return how these digits are said."""
        wording = self._language.digits_wording(self._shortest, self._longest)
        return parse_speech(wording.phrases, wording.rules, self._language.words, wording.short)
