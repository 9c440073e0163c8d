"""Write text out as it is said: numbers, money, dates, times, telephone numbers, abbreviations, codes.

Synthesisers differ in what they make of `$1,250.50` or `Dr.`; so that none has to, we tell them the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from parley.conversation.text import english, mandarin
from parley.conversation.text.written_out import Rule, WrittenOut, apply_rules

_RULES: Mapping[str, tuple[Rule, ...]] = {"en": english.RULES, "zh": mandarin.RULES}
REMEMBERED = 1024
"""Texts kept: prompts come again in every call."""


@lru_cache(maxsize=REMEMBERED)
def written_out(text: str, language: str) -> WrittenOut:
    """Return the text as it is said, with the way back to its own words.

    language: BCP-47 primary tag; the text of one without rules stays as it is.
    """
    return apply_rules(text, _RULES.get(language, ()))
