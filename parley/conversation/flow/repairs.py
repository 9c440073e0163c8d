"""Words by which callers correct themselves or the agent: 'no', 'I said', 'not Tuesday, Thursday'."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from parley.conversation.flow.languages import Language
from parley.conversation.flow.phrases import OneOf, Pattern, parse_phrase, to_regex


@cache
def repair_pattern(language: Language) -> Pattern:
    """Return the language's phrases of repair as one pattern."""
    return OneOf(tuple(parse_phrase(phrase, language.words) for phrase in language.repairs))


@cache
def _repair_regex(language: Language) -> re.Pattern[str]:
    return re.compile(r"(?<!\S)" + to_regex(repair_pattern(language)))


def prepare_repairs(language: Language) -> None:
    """Make what recognises phrases of repair, so that no call waits for it."""
    _repair_regex(language)
    _negations(language)


def has_repair(words: Sequence[str], language: Language) -> bool:
    """Tell whether the words hold a phrase of repair."""
    text = "".join(word + " " for word in words)
    return _repair_regex(language).search(text) is not None


@cache
def _negations(language: Language) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(language.words(phrase)) for phrase in language.negations)


def is_negated(words_before: Sequence[str], language: Language) -> bool:
    """Tell whether the words before something end in a negation."""
    return any(tuple(words_before[-len(negation) :]) == negation for negation in _negations(language))
