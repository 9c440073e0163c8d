"""One of a few values. Value: the option's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parley.conversation.flow.languages import Language, scan
from parley.conversation.flow.phrase_book import PhraseBook
from parley.conversation.flow.phrases import Pattern, Speech
from parley.conversation.flow.slots.base import Context, Saying, choose
from parley.conversation.flow.step import AnswerKind, KeyPlan


class ChoiceSlot:
    """A choice slot. Options have the keys 1, 2, … in their order."""

    kind = AnswerKind.CHOICE
    takes_zero = False

    def __init__(
        self, language: Language, patterns: Mapping[str, Sequence[Pattern]], labels: Mapping[str, str]
    ) -> None:
        """patterns, labels: by option, in order."""
        self._language = language
        self._book = PhraseBook(patterns, language)
        self._labels = labels
        self._options = tuple(patterns)
        self._speech = Speech(tuple(pattern for several in patterns.values() for pattern in several), {})

    def find(self, words: Sequence[str], context: Context) -> str | None:
        """Return the option."""
        match = self._book.find(words)
        if match is not None and match.whole:
            return match.intent
        exact = scan(words, self._whole)
        return choose(exact, words, self._language) if exact else (match.intent if match else None)

    def _whole(self, words: Sequence[str]) -> str | None:
        match = self._book.find(words)
        return match.intent if match is not None and match.whole else None

    def holds(self, value: str) -> bool:
        """The options."""
        return value in self._options

    def complain(self, value: str, context: Context) -> Saying | None:
        """Every option will do."""
        return None

    def say(self, value: str, context: Context) -> str:
        """Write the option's label."""
        return self._labels[value]

    def key_plan(self) -> KeyPlan:
        """One key."""
        return KeyPlan()

    def from_keys(self, digits: str, context: Context) -> str | None:
        """The key is the option's position."""
        return next((option for at, option in enumerate(self._options, start=1) if str(at) == digits), None)

    def key_sayings(self) -> Sequence[Saying]:
        """Return the sayings that announce the keys."""
        return tuple(
            Saying("choice_key", {"value": self._labels[option], "key": str(at)})
            for at, option in enumerate(self._options, start=1)
        )

    def speech(self) -> Speech:
        """Return the phrases of all options."""
        return self._speech
