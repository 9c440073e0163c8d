"""Partials of an engine that decodes the whole utterance anew each time: only what two decodings agree on is told.

LocalAgreement-2 (Liu et al., "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial
Hypothesis Selection", 2020): the common beginning of two decodings in a row; what was told once is never taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile


class Agreement:
    """The agreed beginning of one utterance."""

    def __init__(self) -> None:
        self._previous: Sequence[str] = ()
        self._agreed: list[str] = []

    def take(self, words: Sequence[str]) -> str:
        """Take the words of the next decoding and return the agreed text, which only grows.

        words: with the spaces that stand before them.
        """
        same = takewhile(lambda pair: plain(pair[0]) == plain(pair[1]), zip(self._previous, words, strict=False))
        common = [new for _, new in same]
        kept = [plain(word) for word in self._agreed]
        if [plain(word) for word in common[: len(kept)]] == kept and len(common) > len(kept):
            self._agreed += common[len(kept) :]
        self._previous = tuple(words)
        return "".join(self._agreed).strip()


def plain(text: str) -> str:
    """Return the text without case, spaces at its ends and punctuation: decodings differ in them first."""
    kept = "".join(letter if letter.isalnum() or letter in "'’" else " " for letter in text.casefold())
    return " ".join(kept.split())
