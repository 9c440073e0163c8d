"""Which intent an utterance expresses: the phrases of several intents, matched together.

A whole utterance that is a phrase wins over one that only contains it; longer matches win over shorter ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from parley.conversation.flow.languages import Language
from parley.conversation.flow.phrases import Pattern, to_regex
from parley.conversation.flow.repairs import is_negated

YES = "yes"
NO = "no"
MIN_SHARE = 0.5
"""A single word found inside an utterance must be at least this share of it."""


@dataclass(frozen=True, slots=True)
class Match:
    """An intent found in an utterance."""

    intent: str
    whole: bool
    """The utterance is the phrase, nothing else."""
    words: int
    """How many words the phrase has."""
    blanks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Slot → the words that stood in its place."""


def without_fillers(words: Sequence[str], language: Language) -> list[str]:
    """Return the words that carry meaning; all of them when there is nothing else."""
    kept = [word for word in words if word not in language.fillers]
    return kept or list(words)


class PhraseBook:
    """The phrases of some intents in one language."""

    def __init__(self, patterns: Mapping[str, Sequence[Pattern]], language: Language) -> None:
        """patterns: resolved, by intent; on a tie the intent that comes first wins."""
        self._language = language
        self._regexes = [
            (intent, re.compile(to_regex(pattern, language.fillers)))
            for intent, several in patterns.items()
            for pattern in several
        ]

    def find(self, words: Sequence[str]) -> Match | None:
        """Return the intent that fits these words best."""
        kept = without_fillers(words, self._language)
        text = "".join(word + " " for word in kept)
        matches = [
            match
            for intent, regex in self._regexes
            if (match := self._match(intent, regex, text, len(kept))) is not None
        ]
        return max(matches, key=lambda match: (match.whole, match.words), default=None)

    def _match(self, intent: str, regex: re.Pattern[str], text: str, length: int) -> Match | None:
        if (whole := regex.fullmatch(text)) is not None:
            return Match(intent, True, length, _blanks(whole))
        best: Match | None = None
        for found in regex.finditer(text):
            before, inside = text[: found.start()], found.group()
            if not inside or (before and not before.endswith(" ")):
                continue
            count = inside.count(" ")
            leads = not before and intent in (YES, NO)
            if count < 2 and count / length < MIN_SHARE and not leads:
                continue
            if is_negated(before.split(), self._language):
                continue
            if best is None or count > best.words:
                best = Match(intent, False, count, _blanks(found))
        return best


def _blanks(match: re.Match[str]) -> dict[str, tuple[str, ...]]:
    return {
        group.partition("__")[0]: tuple(words.split())
        for group, words in match.groupdict().items()
        if words is not None
    }
