"""Cut text into the pieces that are spoken one by one, whole or while it still grows.

The agent's voice cuts what a flow says, the flow cuts its prompts, and a model's reply is cut as its tokens come.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_IDEOGRAPH = "\u3400-\u4dbf\u4e00-\u9fff"
_CLOSERS = "\"')\\]”’）」』》"
_END = re.compile(
    rf"(?P<ascii>[.!?…]+[{_CLOSERS}]*)(?=\s|$)"
    rf"|(?P<wide>(?:[。！？]+|(?<=[{_IDEOGRAPH}])[!?]+(?=$|[{_IDEOGRAPH}]))[{_CLOSERS}]*)"
    r"|(?P<blank>\n[^\S\n]*\n)"
)
_CLAUSE = re.compile(r"[,;:—–](?=\s)|[，；：]|——")
_WORD = re.compile(r"\w")
_WORDS = re.compile(r"\w+")
_LAST_WORD = re.compile(r"[^\s\"'(\[“‘]+$")
_LIST_MARK = re.compile(r"\s*[0-9]{1,2}\.\Z")

_NEVER_LAST = frozenset(
    {
        *("mr", "mrs", "ms", "dr", "prof", "st", "mt", "ft", "rev", "hon", "gen", "col", "sgt", "capt", "lt"),
        *("e.g", "i.e", "vs", "cf", "approx", "ext", "fig", "tel", "dept", "apt"),
    }
)
"""A full stop behind these does not end a sentence."""
_SELDOM_LAST = frozenset({"a.m", "p.m", "am", "pm", "etc", "inc", "ltd", "co", "corp", "jr", "sr", "ave", "blvd", "rd"})
"""Behind these it does only where a sentence can begin, and not before a day: `9 a.m. Tuesday`."""
_DAYS = frozenset(
    {
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        *("january", "february", "march", "april", "may", "june", "july", "august"),
        *("september", "october", "november", "december", "eastern", "central", "pacific", "utc", "gmt"),
    }
)


@dataclass(frozen=True, slots=True)
class PieceLengths:
    """How long pieces are, in letters; an ideograph, which is a whole syllable, counts as three."""

    first_clause: int = 0
    """The first piece may end at a clause once it is so long: the caller hears it sooner. 0: only whole sentences."""
    longest: int = 0
    """A sentence longer than this is cut at a clause, or between words where it has none. 0: any length."""


WHOLE_SENTENCES = PieceLengths()
REPLY = PieceLengths(first_clause=24, longest=320)
"""For what a model makes up: the caller hears it after some five words; nobody listens to more in one breath."""


def split_sentences(text: str) -> list[str]:
    """Cut a whole text into sentences; what has no word in it is not worth saying and left out."""
    splitter = SentenceSplitter(WHOLE_SENTENCES)
    return [*splitter.feed(text), *splitter.finish()]


class SentenceSplitter:
    """Cuts a text that grows: pieces come as soon as it is certain where they end.

    A piece ends for certain when what follows it has begun: a full stop alone may belong to `3.5` or to `Dr. Smith`.
    """

    def __init__(self, lengths: PieceLengths = REPLY) -> None:
        """lengths: how long pieces may be."""
        self._lengths = lengths
        self._rest = ""
        self._begun = False
        """A piece was given out."""

    def feed(self, text: str) -> list[str]:
        """Take more text and return the pieces that are complete now, without the space around them."""
        self._rest += text
        return self._pieces(final=False)

    def finish(self) -> list[str]:
        """Take the end of the text and return what is left."""
        pieces = self._pieces(final=True)
        rest, self._rest = self._rest, ""
        return pieces + self._worth_saying(rest)

    def _pieces(self, final: bool) -> list[str]:
        pieces: list[str] = []
        while (end := self._next_end(final)) is not None:
            piece, self._rest = self._rest[:end], self._rest[end:]
            pieces += self._worth_saying(piece)
        return pieces

    def _worth_saying(self, piece: str) -> list[str]:
        if not _WORD.search(piece):
            return []
        self._begun = True
        return [piece.strip()]

    def _next_end(self, final: bool) -> int | None:
        """Return where the next piece ends in what is left; None while that is not certain."""
        end = _sentence_end(self._rest, final)
        clause = None if self._begun or not self._lengths.first_clause else self._clause_end(final)
        ends = [found for found in (end, clause) if found is not None]
        longest = self._lengths.longest
        if not longest or (ends and letters(self._rest[: min(ends)]) <= longest):
            return min(ends, default=None)
        return self._cut_of_too_long()

    def _clause_end(self, final: bool) -> int | None:
        """Return the end of the first clause that is long enough to be said alone, where words follow it."""
        for match in _CLAUSE.finditer(self._rest):
            follows = self._rest[match.end() :].lstrip()
            if not follows:
                return None
            # `March 5, 2026` and `10, 20 or 30` stay together: numbers are written out with what is around them.
            if not follows[0].isdigit() and letters(self._rest[: match.end()]) >= self._lengths.first_clause:
                return match.end()
        return None

    def _cut_of_too_long(self) -> int | None:
        """Return where to cut text that is longer than a voice says in one breath; None where it is not."""
        if letters(self._rest.rstrip()) <= self._lengths.longest:
            return None
        fits = _longest_prefix(self._rest, self._lengths.longest)
        clauses = [match.end() for match in _CLAUSE.finditer(self._rest, 0, fits + 1) if match.end() <= fits]
        if clauses and _WORD.search(self._rest[: clauses[-1]]):
            return clauses[-1]
        space = self._rest.rstrip().rfind(" ", 1, fits + 1)
        return space if space > 0 and _WORD.search(self._rest[:space]) else fits


def letters(text: str) -> int:
    """Return a text's length for the voice: an ideograph counts as three letters."""
    return len(text) + 2 * sum("\u3400" <= char <= "\u9fff" for char in text)


def _longest_prefix(text: str, longest: int) -> int:
    """Return the length of the longest beginning of at most so many letters; at least 1."""
    counted = 0
    for index, char in enumerate(text):
        counted += letters(char)
        if counted > longest:
            return max(1, index)
    return len(text)


def _sentence_end(text: str, final: bool) -> int | None:
    """Return where the first sentence of a text ends, None where that is not certain yet.

    final: nothing follows the text.
    """
    for match in _END.finditer(text):
        follows = text[match.end() :].lstrip()
        if not follows:
            return match.end() if final else None
        if not match["ascii"] or match["ascii"][0] == "…":
            return match.end()
        goes_on = _goes_on(text[: match.start() + 1], follows, final)
        if goes_on is None:
            return None
        if not goes_on:
            return match.end()
    return None


def _goes_on(until_stop: str, follows: str, final: bool) -> bool | None:
    """Tell whether a mark ends no sentence: an abbreviation, an initial, a list's number; None: not certain yet.

    until_stop: the text up to and with the mark.   follows: what comes behind it, without the space before.
    """
    if until_stop[-1] != ".":
        return follows[0].islower()
    last = _LAST_WORD.search(until_stop)
    word = "" if last is None else last.group().rstrip(".")
    if word.lower() in _SELDOM_LAST and follows[0].isupper():
        next_word = _WORDS.match(follows)
        if next_word is None or (next_word.end() == len(follows) and not final):
            return None
        return next_word.group().lower() in _DAYS
    return follows[0].islower() or _is_short_for_something(word, follows) or bool(_LIST_MARK.match(until_stop))


def _is_short_for_something(word: str, follows: str) -> bool:
    """Tell whether a word with a full stop behind it is an abbreviation or an initial, rather than a last word."""
    short = word.lower()
    is_initial = len(word) == 1 and word.isupper() and word != "I"
    is_number = short == "no" and follows[0].isdigit()
    return is_initial or is_number or short in _NEVER_LAST or short in _SELDOM_LAST
