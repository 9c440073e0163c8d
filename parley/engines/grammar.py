"""JSGF as the flow writes it → JSGF that the decoder takes: words lower-cased, unspeakable ones taken out."""

from __future__ import annotations

import re
from collections.abc import Callable, Container

from parley.conversation.errors import EngineError

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<header>\#JSGF[^;]*;|\bgrammar\s+[^;]*;)
      | (?P<tag>\{(?:\\.|[^}\\])*\})
      | (?P<weight>/\s*[0-9][^/]*/)
      | (?P<rule><[^>]*>)
      | "(?P<quoted>(?:\\.|[^"\\])*)"
      | (?P<word>[^\s|()\[\]*+;=<>{}/"]+)""",
    re.VERBOSE | re.DOTALL,
)


class Grammar:
    """A JSGF text and the words in it."""

    def __init__(self, text: str) -> None:
        """Read the text. Raises EngineError if it has no words or imports other files."""
        self._text = text
        words = [word for match in _TOKEN.finditer(text) for word in _words(match)]
        if "import" in words:
            raise EngineError("a grammar may not import others")
        self.words = frozenset(words)
        """All words, lower case."""
        if not self.words:
            raise EngineError("the grammar has no words")

    def without(self, unspeakable: Container[str]) -> str:
        """Return JSGF for the decoder in which these words are silent.

        Raises EngineError if no word is left.
        """
        if all(word in unspeakable for word in self.words):
            raise EngineError("none of the grammar's words can be pronounced in English")
        return _TOKEN.sub(_rewriter(unspeakable), self._text)


def _words(match: re.Match[str]) -> list[str]:
    if match["quoted"] is not None:
        return match["quoted"].lower().split()
    word = match["word"]
    return [] if word is None or word == "public" else [word.lower()]


def _rewriter(unspeakable: Container[str]) -> Callable[[re.Match[str]], str]:
    def rewrite(match: re.Match[str]) -> str:
        if match["comment"] or match["tag"]:
            return " "
        words = _words(match)
        if not words:
            return match[0]
        return " ".join("<NULL>" if word in unspeakable else word for word in words)

    return rewrite
