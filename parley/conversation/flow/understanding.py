"""Text → what the caller means, given the question.

No confidence and no state here: `FlowRun` decides what to do with a meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from parley.conversation.flow.edition import Edition
from parley.conversation.flow.languages.base import MAX_WORDS
from parley.conversation.flow.phrase_book import NO, YES, Match, without_fillers
from parley.conversation.flow.question import Ask, Confirm, Question
from parley.conversation.flow.repairs import has_repair, is_negated
from parley.conversation.flow.slots import Context, Slot
from parley.conversation.flow.step import AnswerKind

MAX_FREE_CHARACTERS = 500
LONGEST_NEGATION = 3
"""In words."""
LONG_PHRASE = 3
"""A phrase of so many words inside an utterance outweighs a plain 'yes' or 'no' in front of it."""


@dataclass(frozen=True, slots=True)
class Value:
    """The value asked for, valid or not; at a read-back, another one."""

    value: str


@dataclass(frozen=True, slots=True)
class Wish:
    """An intent: one of the choices, yes or no, or one of those understood everywhere."""

    intent: str
    slots: dict[str, str] = field(default_factory=dict)
    """Slot values said along with it."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A new value for an earlier slot."""

    slot_name: str
    value: str


Meaning = Value | Wish | Correction


class Understanding:
    """What callers mean, in one language."""

    def __init__(self, edition: Edition, context: Context) -> None:
        self._edition = edition
        self._context = context

    def understand(self, question: Question, text: str) -> Meaning | None:
        """Return what the caller means, or None when it is nothing that the question or the flow expects."""
        words = without_fillers(self._edition.language.words(text)[:MAX_WORDS], self._edition.language)
        if not words:
            return None
        if isinstance(question, Confirm):
            return self._at_confirm(question, words)
        return self._at_ask(question, words, text)

    def _at_ask(self, ask: Ask, words: Sequence[str], text: str) -> Meaning | None:
        match = self._edition.book(ask).find(words)
        if match is not None and match.whole:
            return self._wish(match)
        if ask.slot is not None and ask.kind is AnswerKind.FREE:
            return (
                self._wish(match) if match and match.words >= LONG_PHRASE else Value(text.strip()[:MAX_FREE_CHARACTERS])
            )
        value = ask.slot.find(words, self._context) if ask.slot is not None else None
        fits = ask.slot is not None and value is not None and ask.slot.complain(value, self._context) is None
        weak = not fits or ask.kind is AnswerKind.YES_NO  # 'no, Thursday' begins with an answer of its own
        if weak and has_repair(words, self._edition.language):
            correction = self._correction(ask.correctable, words)
            if correction is not None:
                return correction
        outweighed = match is not None and (not fits or (ask.kind is AnswerKind.YES_NO and match.words >= LONG_PHRASE))
        if value is not None and not outweighed:
            return Value(value)
        if match is not None:
            return self._wish(match)
        return self._correction(ask.correctable, words)

    def _at_confirm(self, confirm: Confirm, words: Sequence[str]) -> Meaning | None:
        match = self._edition.book(confirm).find(words)
        if match is not None and match.whole:
            return self._wish(match)
        if (value := self._other_value(confirm, words)) is not None:
            if value != confirm.value:
                return Value(value)
            return Wish(NO if has_repair(words, self._edition.language) else YES)
        if (correction := self._correction(confirm.ask.correctable, words)) is not None:
            return correction
        return self._wish(match) if match is not None else None

    def _other_value(self, confirm: Confirm, words: Sequence[str]) -> str | None:
        if not confirm.slot_name:
            return None
        slot = self._edition.slots[confirm.slot_name]
        if slot.kind in (AnswerKind.YES_NO, AnswerKind.FREE):
            return None
        return self._contrary(slot, words)

    def _contrary(self, slot: Slot, words: Sequence[str]) -> str | None:
        """Find a value, even behind a negation that begins the sentence.

        In Mandarin 'no, it is Thursday' and 'not Thursday' differ by a comma that no recogniser hears. The run
        knows which day was said before, and thereby which of the two is meant.
        """
        value = slot.find(words, self._context)
        for start in range(1, min(len(words), LONGEST_NEGATION + 1)):
            if value is None and is_negated(words[:start], self._edition.language):
                value = slot.find(words[start:], self._context)
        return value

    def _correction(self, names: Sequence[str], words: Sequence[str]) -> Correction | None:
        for name in names:
            slot = self._edition.slots[name]
            if slot.kind in (AnswerKind.YES_NO, AnswerKind.FREE):
                continue
            value = self._contrary(slot, words)
            if value is not None:
                return Correction(name, value)
        return None

    def _wish(self, match: Match) -> Wish:
        slots = {}
        for name, words in match.blanks.items():
            value = self._edition.slots[name].find(words, self._context)
            if value is not None:
                slots[name] = value
        return Wish(match.intent, slots)
