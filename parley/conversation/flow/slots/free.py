"""Anything, in the caller's own words. Value: the transcript."""

from __future__ import annotations

from collections.abc import Sequence

from parley.conversation.flow.languages import Language
from parley.conversation.flow.phrases import Speech
from parley.conversation.flow.slots.base import Context, Saying
from parley.conversation.flow.step import AnswerKind, KeyPlan


class FreeSlot:
    """A free slot."""

    kind = AnswerKind.FREE
    takes_zero = False

    def __init__(self, language: Language) -> None:
        self._language = language

    def find(self, words: Sequence[str], context: Context) -> str | None:
        """Return what was said."""
        return self._language.join(words) or None

    def holds(self, value: str) -> bool:
        """Anything."""
        return True

    def complain(self, value: str, context: Context) -> Saying | None:
        """Anything will do."""
        return None

    def say(self, value: str, context: Context) -> str:
        """Write it as it was heard."""
        return value

    def key_plan(self) -> KeyPlan:
        """One key."""
        return KeyPlan()

    def from_keys(self, digits: str, context: Context) -> str | None:
        """1 goes on without an answer."""
        return "" if digits == "1" else None

    def key_sayings(self) -> Sequence[Saying]:
        """Return the sayings that announce the keys."""
        return (Saying("free_keys"),)

    def speech(self) -> Speech | None:
        """Open vocabulary."""
        return None
