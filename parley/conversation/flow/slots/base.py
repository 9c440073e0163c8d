"""What every slot type can do, and what the types share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, TypeVar

from parley.conversation.flow.languages import Language
from parley.conversation.flow.languages.base import Hit
from parley.conversation.flow.phrases import Speech
from parley.conversation.flow.repairs import has_repair, is_negated
from parley.conversation.flow.step import AnswerKind, KeyPlan

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Context:
    """What a value may depend on."""

    today: date


@dataclass(frozen=True, slots=True)
class Saying:
    """Something the agent says in words of the language pack: its name, and what fills it."""

    name: str
    """One of SAYINGS."""
    values: Mapping[str, str] = field(default_factory=dict)


class Slot(Protocol):
    """One slot in one language. Values are strings, normalised."""

    @property
    def kind(self) -> AnswerKind:
        """What to listen for."""
        ...

    @property
    def takes_zero(self) -> bool:
        """Whether the single key 0 is a value; otherwise it asks for a person."""
        ...

    def find(self, words: Sequence[str], context: Context) -> str | None:
        """Return the one value that the words hold, valid or not; None when there is none, or several."""
        ...

    def holds(self, value: str) -> bool:
        """Tell whether a text that nobody has looked at is a value as this slot stores them."""
        ...

    def complain(self, value: str, context: Context) -> Saying | None:
        """Return why the value will not do, or None."""
        ...

    def say(self, value: str, context: Context) -> str:
        """Write the value for speech."""
        ...

    def key_plan(self) -> KeyPlan:
        """Return how keys answer."""
        ...

    def from_keys(self, digits: str, context: Context) -> str | None:
        """Return the value that was keyed in, valid or not; None when the keys mean nothing here."""
        ...

    def key_sayings(self) -> Sequence[Saying]:
        """Return the sayings that announce the keys."""
        ...

    def speech(self) -> Speech | None:
        """Return how values are said; None for an open vocabulary."""
        ...


def choose(hits: Sequence[Hit[Value]], words: Sequence[str], language: Language) -> Value | None:
    """Return the value that is meant.

    'not Tuesday' takes Tuesday away; of several different ones the last counts when words of repair stand before
    it ('Tuesday, no, Thursday'), otherwise the caller has to choose.
    """
    meant = [hit for hit in hits if not is_negated(words[: hit.start], language)]
    if not meant:
        return None
    if len({hit.value for hit in meant}) == 1:
        return meant[0].value
    between = words[meant[-2].end : meant[-1].start]
    return meant[-1].value if has_repair(between, language) else None
