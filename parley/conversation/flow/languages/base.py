"""What a language pack provides.

Everything that understands or speaks a language in a flow goes through this Protocol; slots, grammars and the run
know no language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, Protocol, TypeVar

from parley.conversation.flow.step import AnswerKind

MAX_WORDS = 80
"""Words of an utterance that are looked at; a caller who says more is telling a story, not answering."""
MAX_VALUE_WORDS = 16
"""Longest value, in words."""

SAYINGS = (
    "no_match_1",
    "no_match_2",
    "no_input_1",
    "no_input_2",
    "give_up",
    "person",
    "goodbye",
    "start_over",
    "resumed",
    "help",
    "did_you_say",
    "read_back",
    "echo",
    "not_right",
    "yes_no_keys",
    "choice_key",
    "person_key",
    "digits_keys",
    "digits_keys_range",
    "number_keys",
    "day_keys",
    "free_keys",
    "wrong_length",
    "out_of_range",
    "closed_day",
    "day_out_of_range",
    "reason_person",
    "reason_not_understood",
)
"""What the agent says where the flow gives no words of its own; a flow may replace each under `sayings:`."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How callers of a language say something: phrases, and the rules that the phrases refer to.

    Phrases that begin alike are written as one: a recogniser follows each alternative separately, and what it
    follows costs time and lets it hear things that were not said.
    """

    phrases: tuple[str, ...]
    rules: Mapping[str, tuple[str, ...]]
    short: tuple[str, ...] = ()
    """The few phrases by which a value is taken back: 'not Tuesday, Thursday'."""


def is_digits(text: str) -> bool:
    """Tell whether the text is one or more of 0 to 9. `str.isdigit` is true of '²' and '①', which are no numbers."""
    return text.isascii() and text.isdigit()


class Language(Protocol):
    """One language."""

    def __hash__(self) -> int:
        """By identity: there is one pack per language."""
        ...

    @property
    def code(self) -> str:
        """BCP-47 primary tag."""
        ...

    @property
    def sayings(self) -> Mapping[str, str]:
        """A prompt for every name in SAYINGS."""
        ...

    @property
    def intents(self) -> Mapping[str, Sequence[str]]:
        """Phrases of the built-in intents: yes, no, person, repeat, help, goodbye, start_over."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """How the agent names the built-in intents: 'Did you say goodbye?'."""
        ...

    @property
    def fillers(self) -> frozenset[str]:
        """Words that carry no meaning."""
        ...

    @property
    def negations(self) -> frozenset[str]:
        """Phrases that turn what follows directly into its opposite: 'not Tuesday'."""
        ...

    @property
    def repairs(self) -> Sequence[str]:
        """Phrases by which a caller corrects: 'no', 'I said', 'make it'."""
        ...

    @property
    def corrections(self) -> Sequence[str]:
        """What grammars expect before a corrected value: 'no', 'I said', 'make it'. Few: each costs decoding time."""
        ...

    @property
    def taken_back(self) -> Sequence[str]:
        """What grammars expect before a value that is taken back: 'not Tuesday, Thursday'."""
        ...

    @property
    def courtesies(self) -> Sequence[str]:
        """What grammars expect after a value: 'please'."""
        ...

    @property
    def greetings(self) -> Sequence[str]:
        """What grammars expect before any answer: 'hello'. Fillers, so that understanding passes over them."""
        ...

    def before_value(self, kind: AnswerKind) -> Sequence[str]:
        """Return what grammars expect before a value of this kind: 'on', 'my number is'."""
        ...

    def words(self, text: str) -> list[str]:
        """Split what was heard, or a phrase, into normalised words."""
        ...

    def join(self, words: Sequence[str]) -> str:
        """Write words as text."""
        ...

    def may_be_in_dictionary(self, word: str) -> bool:
        """Tell whether a pronunciation dictionary of this language could hold the word."""
        ...

    def parse_digits(self, words: Sequence[str]) -> str | None:
        """Return the digits that these words are, all of them, or None."""
        ...

    def parse_number(self, words: Sequence[str]) -> int | None:
        """Return the number (0 to 999,999) that these words are, all of them, or None."""
        ...

    def parse_day(self, words: Sequence[str], today: date) -> date | None:
        """Return the day that these words are, all of them, or None."""
        ...

    def say_digits(self, digits: str) -> str:
        """Write digits to be read one by one."""
        ...

    def say_number(self, number: int) -> str:
        """Write a number (0 to 999,999) in words."""
        ...

    def say_day(self, day: date, today: date) -> str:
        """Write a day as people say it from today: 'tomorrow', 'Thursday', 'Thursday, March fifth'."""
        ...

    def say_date(self, day: date) -> str:
        """Write a day with its date: 'Thursday, March fifth'."""
        ...

    def say_weekday(self, weekday: int) -> str:
        """Write a weekday. weekday: 0 is Monday."""
        ...

    def digits_wording(self, shortest: int, longest: int) -> Wording:
        """Return how so many digits are said."""
        ...

    def number_wording(self, highest: int) -> Wording:
        """Return how numbers up to `highest` are said; may allow some higher ones too."""
        ...

    def day_wording(self) -> Wording:
        """Return how days are said."""
        ...


Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Hit(Generic[Value]):
    """A value found among the words of an utterance."""

    value: Value
    start: int
    """Index of its first word."""
    end: int
    """Index after its last word."""


def scan(words: Sequence[str], parse: Callable[[Sequence[str]], Value | None]) -> list[Hit[Value]]:
    """Return the values found from left to right, each the longest that starts where it does."""
    hits: list[Hit[Value]] = []
    start = 0
    words = words[:MAX_WORDS]
    while start < len(words):
        for end in range(min(len(words), start + MAX_VALUE_WORDS), start, -1):
            value = parse(words[start:end])
            if value is not None:
                hits.append(Hit(value, start, end))
                start = end
                break
        else:
            start += 1
    return hits
