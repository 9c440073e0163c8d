"""Prompts: text with `{name}` in it, cut into the sentences that are spoken one by one.

There is no expression language: a name, and how to say it (`{name:digits}`). `{{` and `}}` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from parley.conversation.text.sentences import split_sentences

FORMS = ("raw", "digits", "number", "day", "date")
"""How a variable may be said: as it is stored, digit by digit, as a number, as a day, as a day with its date."""

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_VARIABLE = re.compile(r"([a-z][a-z0-9_]*)(?::([a-z]+))?")


class TemplateError(ValueError):
    """The text's braces cannot be read; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A place to be filled in."""

    name: str
    form: str = ""
    """One of FORMS; empty: as suits the slot."""


@dataclass(frozen=True, slots=True)
class Template:
    """One sentence."""

    pieces: tuple[str | Variable, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What must be filled in; empty for a fixed sentence."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Variable))

    def fill(self, say: Callable[[Variable], str]) -> str | None:
        """Return the sentence, or None when `say` has nothing for one of its variables."""
        spoken = [piece if isinstance(piece, str) else say(piece) for piece in self.pieces]
        return None if "" in spoken else "".join(spoken)


def parse_template(text: str) -> Template:
    """Parse text as one template. Raises TemplateError."""
    pieces: list[str | Variable] = []
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece in ("{{", "}}"):
            pieces.append(piece[0])
        elif piece in ("{", "}"):
            raise TemplateError(f"a '{piece}' stands alone; write {{name}} for a variable, or {piece * 2} for a brace")
        elif piece[0] == "{":
            pieces.append(_parse_variable(match.group(1)))
        else:
            pieces.append(piece)
    return Template(tuple(pieces))


def _parse_variable(text: str) -> Variable:
    match = _VARIABLE.fullmatch(text.strip())
    if match is None:
        raise TemplateError(f"'{{{text}}}' is not a variable; write {{name}} or {{name:digits}}")
    form = match.group(2) or ""
    if form and form not in FORMS:
        raise TemplateError(f"'{form}' is not a way to say a variable; use one of {', '.join(FORMS)}")
    return Variable(match.group(1), form)


def parse_sentences(text: str) -> tuple[Template, ...]:
    """Cut text into sentences and parse each. Raises TemplateError."""
    parse_template(text)
    return tuple(parse_template(sentence) for sentence in split_sentences(" ".join(text.split())))
