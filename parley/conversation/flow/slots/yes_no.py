"""Yes or no. Values: `yes`, `no`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parley.conversation.flow.languages import Language
from parley.conversation.flow.phrase_book import NO, YES, PhraseBook
from parley.conversation.flow.phrases import Pattern, Speech
from parley.conversation.flow.slots.base import Context, Saying
from parley.conversation.flow.step import AnswerKind, KeyPlan


class YesNoSlot:
    """A yes_no slot."""

    kind = AnswerKind.YES_NO
    takes_zero = False

    def __init__(self, language: Language, patterns: Mapping[str, Sequence[Pattern]]) -> None:
        """patterns: of the intents yes and no."""
        self._language = language
        self._speech = Speech((*patterns[YES], *patterns[NO]), {})
        self._book = PhraseBook({name: patterns[name] for name in (YES, NO)}, language)

    def find(self, words: Sequence[str], context: Context) -> str | None:
        """Return yes or no."""
        match = self._book.find(words)
        return None if match is None else match.intent

    def holds(self, value: str) -> bool:
        """Yes and no."""
        return value in (YES, NO)

    def complain(self, value: str, context: Context) -> Saying | None:
        """Both will do."""
        return None

    def say(self, value: str, context: Context) -> str:
        """Write the language's own word."""
        return self._language.labels[value]

    def key_plan(self) -> KeyPlan:
        """One key."""
        return KeyPlan()

    def from_keys(self, digits: str, context: Context) -> str | None:
        """1 is yes, 2 is no."""
        return {"1": YES, "2": NO}.get(digits)

    def key_sayings(self) -> Sequence[Saying]:
        """Return the sayings that announce the keys."""
        return (Saying("yes_no_keys"),)

    def speech(self) -> Speech:
        """Return the phrases for both."""
        return self._speech
