"""A text written out as it is said, and which of its own words belong to which of those that are said.

What the caller heard is told by what was said; history holds the text as it was written.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A stretch of the text that is said in other words."""

    start: int
    end: int
    said: str


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of expression is said."""

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]
    """Returns the words; None where the expression is none of this kind after all (a 13th month)."""


class WrittenOut:
    """A text, and the words in which it is said."""

    __slots__ = ("_from", "_pieces", "said", "text")

    def __init__(self, text: str, replacements: Sequence[Replacement] = ()) -> None:
        """replacements: in order, not overlapping."""
        self.text = text
        """As it was written."""
        pieces: list[Replacement] = []
        done = 0
        for replacement in replacements:
            if done < replacement.start:
                pieces.append(Replacement(done, replacement.start, text[done : replacement.start]))
            pieces.append(replacement)
            done = replacement.end
        if done < len(text):
            pieces.append(Replacement(done, len(text), text[done:]))
        self._pieces = pieces
        self.said = "".join(piece.said for piece in pieces)
        """For the synthesiser."""
        self._from = [0]
        for piece in pieces:
            self._from.append(self._from[-1] + len(piece.said))

    def cut_in_text(self, cut: int) -> int:
        """Return how much of the text was said when the first `cut` characters of `said` were.

        An expression that was said in other words counts once all of them were said.
        """
        if cut >= len(self.said):
            return len(self.text)
        index = bisect_right(self._from, cut) - 1
        piece = self._pieces[index]
        unchanged = piece.said == self.text[piece.start : piece.end]
        return piece.start + (cut - self._from[index] if unchanged else 0)

    @property
    def changes(self) -> list[Replacement]:
        """The stretches that are said in other words, in order."""
        return [piece for piece in self._pieces if piece.said != self.text[piece.start : piece.end]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WrittenOut) and (self.text, self._pieces) == (other.text, other._pieces)

    def __hash__(self) -> int:
        return hash((self.text, self.said))

    def __repr__(self) -> str:
        return f"WrittenOut({self.text!r}, said={self.said!r})"


def apply_rules(text: str, rules: Iterable[Rule]) -> WrittenOut:
    """Write a text out. Where expressions overlap, the earlier rule wins; one that fails leaves the text as it is."""
    found: list[Replacement] = []
    taken = bytearray(len(text))
    for rule in rules:
        for match in rule.pattern.finditer(text):
            start, end = match.span()
            if start == end or any(taken[start:end]):
                continue
            said = _say(rule, match)
            if said is not None:
                found.append(Replacement(start, end, said))
                taken[start:end] = b"\1" * (end - start)
    return WrittenOut(text, sorted(found, key=lambda replacement: replacement.start))


def _say(rule: Rule, match: re.Match[str]) -> str | None:
    """Return the words; None as well where the rule fails: callers control texts, and a call is worth more."""
    try:
        return rule.say(match)
    except (ArithmeticError, LookupError, ValueError) as err:
        logger.warning(
            "a rule for writing texts out has failed",
            extra={"rule": rule.pattern.pattern[:80], "problem": type(err).__name__},
        )
        return None
