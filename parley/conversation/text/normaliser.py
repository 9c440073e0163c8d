"""Write text out as it is said: numbers, money, dates, times, telephone numbers, abbreviations, codes.

Synthesisers differ in what they make of `$1,250.50` or `Dr.`; so that none has to, we tell them the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import import_module

from parley.conversation.text.written_out import Rule, WrittenOut, apply_rules

_MODULES: Mapping[str, str] = {
    "en": "parley.conversation.text.english",
    "zh": "parley.conversation.text.mandarin",
}
"""Loaded when a text of the language comes, which is before the first call: a node without Mandarin flows, started
anew while callers wait, saves the 0.2 s that its library takes."""
REMEMBERED = 1024
"""Texts kept: prompts come again in every call."""


@lru_cache(maxsize=REMEMBERED)
def written_out(text: str, language: str) -> WrittenOut:
    """Return the text as it is said, with the way back to its own words.

    language: BCP-47 primary tag; the text of one without rules stays as it is.
    """
    return apply_rules(text, _rules(language))


@cache
def _rules(language: str) -> tuple[Rule, ...]:
    if language not in _MODULES:
        return ()
    rules: tuple[Rule, ...] = import_module(_MODULES[language]).RULES
    return rules
