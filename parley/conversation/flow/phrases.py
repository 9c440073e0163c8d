"""Phrases as a script's author writes them: parsed once, then matched, listed, or written as JSGF.

    speak to a person            words
    (speak | talk) to a person   one of several
    [please] stop                may be left out
    <want> a person              a synonym set of the flow
    book me in for {day}         the value of a slot

Language packs use the same notation for their own phrases and for how days and numbers are said.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

MAX_SENTENCES = 5000
"""More sentences than this in one phrase is a mistake: it could not be checked, and no caller says them all."""
MAX_DEPTH = 20

_TOKEN = re.compile(r"[()\[\]|]|<[^<>]*>|\{[^{}]*\}|[^()\[\]|<>{}]+|[<>{}]")


class PhraseError(ValueError):
    """A phrase cannot be read; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word, as the language pack's `words()` writes it."""

    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """Parts in order; with no parts, nothing is said."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Exactly one of these."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Maybe:
    """This, or nothing."""

    part: Pattern


@dataclass(frozen=True, slots=True)
class Reference:
    """Another pattern, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Blank:
    """Any value of a slot."""

    slot: str


Pattern = Word | Series | OneOf | Maybe | Reference | Blank
_Tree = dict[str, "_Tree"]
"""Word → what may follow; an empty word is an end."""
Rules = Mapping[str, Pattern]
"""What the names in references stand for."""


@dataclass(frozen=True, slots=True)
class Speech:
    """How something is said: patterns, and the rules that their references name."""

    patterns: tuple[Pattern, ...]
    rules: Rules
    short: tuple[Pattern, ...] = ()
    """Those by which a value is taken back."""


def parse_speech(
    phrases: Sequence[str],
    rules: Mapping[str, Sequence[str]],
    words: Callable[[str], Sequence[str]],
    short: Sequence[str] = (),
) -> Speech:
    """Parse phrases and rules, which have one alternative per text. Raises PhraseError."""
    return Speech(
        tuple(parse_phrase(phrase, words) for phrase in phrases),
        {name: OneOf(tuple(parse_phrase(text, words) for text in texts)) for name, texts in rules.items()},
        tuple(parse_phrase(phrase, words) for phrase in short),
    )


def parse_phrase(text: str, words: Callable[[str], Sequence[str]]) -> Pattern:
    """Parse one phrase. words: splits plain text as the language does. Raises PhraseError."""
    tokens = [token for token in _TOKEN.findall(text) if token.strip()]
    pattern, rest = _parse_alternatives(tokens, 0, words, 0)
    if rest < len(tokens):
        raise PhraseError(f"'{tokens[rest]}' has no opening bracket; remove it or open one before it")
    if next(parts_of(pattern), None) is None:
        raise PhraseError("the phrase has no words; write at least one")
    if _may_be_empty(pattern):
        raise PhraseError("every word of the phrase is optional; take the [ ] off at least one")
    return pattern


def _parse_alternatives(
    tokens: Sequence[str], at: int, words: Callable[[str], Sequence[str]], depth: int
) -> tuple[Pattern, int]:
    if depth > MAX_DEPTH:
        raise PhraseError(f"brackets are nested more than {MAX_DEPTH} deep; write several phrases instead")
    alternatives: list[Pattern] = []
    parts: list[Pattern] = []
    while at < len(tokens) and tokens[at] not in (")", "]"):
        token = tokens[at]
        if token == "|":  # noqa: S105 (a token of the notation)
            alternatives.append(_sequence(parts))
            parts = []
            at += 1
        elif token in ("(", "["):
            part, at = _parse_bracket(tokens, at, words, depth)
            parts.append(part)
        else:
            parts.extend(_parse_plain(token, words))
            at += 1
    alternatives.append(_sequence(parts))
    if len(alternatives) > 1 and any(part == Series(()) for part in alternatives):
        raise PhraseError("there is nothing beside a '|'; write a word there or remove the '|'")
    return (alternatives[0] if len(alternatives) == 1 else OneOf(tuple(alternatives))), at


def _parse_bracket(
    tokens: Sequence[str], at: int, words: Callable[[str], Sequence[str]], depth: int
) -> tuple[Pattern, int]:
    opening = tokens[at]
    closing = ")" if opening == "(" else "]"
    part, at = _parse_alternatives(tokens, at + 1, words, depth + 1)
    if at >= len(tokens) or tokens[at] != closing:
        raise PhraseError(f"a '{opening}' is not closed; add '{closing}'")
    if part == Series(()):
        raise PhraseError(f"'{opening}{closing}' is empty; write words in it or remove it")
    return (Maybe(part) if opening == "[" else part), at + 1


def _parse_plain(token: str, words: Callable[[str], Sequence[str]]) -> list[Pattern]:
    if token[0] in "<{" and len(token) > 1:
        name = token[1:-1].strip()
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise PhraseError(f"'{token}' is not a name; names are lower-case letters, digits and _")
        return [Reference(name) if token[0] == "<" else Blank(name)]
    if token in ("<", ">", "{", "}"):
        raise PhraseError(f"a '{token}' stands alone; write <name> for synonyms and {{name}} for a slot")
    return [Word(word) for word in words(token)]


def _sequence(parts: Sequence[Pattern]) -> Pattern:
    return parts[0] if len(parts) == 1 else Series(tuple(parts))


def _may_be_empty(pattern: Pattern) -> bool:
    match pattern:
        case Maybe():
            return True
        case Series(parts):
            return all(_may_be_empty(part) for part in parts)
        case OneOf(parts):
            return any(_may_be_empty(part) for part in parts)
        case _:
            return False


def resolve(pattern: Pattern, rules: Rules, depth: int = 0) -> Pattern:
    """Return the pattern with every reference replaced by what it stands for.

    Raises PhraseError for a reference that `rules` lacks, or that leads back to itself.
    """
    if depth > MAX_DEPTH:
        raise PhraseError("synonyms refer to each other in a circle; write the words out in one of them")
    match pattern:
        case Reference(name):
            if name not in rules:
                raise PhraseError(f"<{name}> is not defined; add it under 'synonyms:' or write the words out")
            return resolve(rules[name], rules, depth + 1)
        case Series(parts):
            return Series(tuple(resolve(part, rules, depth) for part in parts))
        case OneOf(parts):
            return OneOf(tuple(resolve(part, rules, depth) for part in parts))
        case Maybe(part):
            return Maybe(resolve(part, rules, depth))
        case Word() | Blank():
            return pattern


def parts_of(pattern: Pattern) -> Iterator[Word | Reference | Blank]:
    """Yield every word, reference and blank in a pattern."""
    match pattern:
        case Series(parts) | OneOf(parts):
            for part in parts:
                yield from parts_of(part)
        case Maybe(part):
            yield from parts_of(part)
        case Word() | Blank() | Reference():
            yield pattern


def sentences_of(pattern: Pattern) -> Iterator[str]:
    """Yield every sentence of a resolved pattern, words separated by spaces, blanks as `{slot}`."""
    match pattern:
        case Word(text):
            yield text
        case Blank(slot):
            yield "{" + slot + "}"
        case Reference(name):
            raise PhraseError(f"<{name}> is not resolved")
        case Maybe(part):
            yield ""
            yield from sentences_of(part)
        case OneOf(parts):
            for part in parts:
                yield from sentences_of(part)
        case Series(parts):
            yield from _sentences_in_order(parts)


def _sentences_in_order(parts: Sequence[Pattern]) -> Iterator[str]:
    if not parts:
        yield ""
        return
    for first in sentences_of(parts[0]):
        for rest in _sentences_in_order(parts[1:]):
            yield f"{first} {rest}".strip()


def list_sentences(pattern: Pattern) -> list[str]:
    """Return every sentence of a resolved pattern. Raises PhraseError when there are more than MAX_SENTENCES."""
    sentences = list(itertools.islice(sentences_of(pattern), MAX_SENTENCES + 1))
    if len(sentences) > MAX_SENTENCES:
        raise PhraseError(f"the phrase stands for more than {MAX_SENTENCES} sentences; split it into simpler ones")
    return sentences


def left_factored(sentences: Iterable[str]) -> Pattern:
    """Return one pattern for all of these sentences in which every beginning is written once.

    sentences: words separated by spaces, blanks as `{slot}`; not empty. This is the shape that a recogniser
    follows with the least work.
    """
    tree: _Tree = {}
    for sentence in sentences:
        branch = tree
        for word in sentence.split():
            branch = branch.setdefault(word, {})
        branch[""] = {}
    return _pattern_of(tree)


def _pattern_of(tree: _Tree) -> Pattern:
    alternatives: list[Pattern] = []
    for word, rest in tree.items():
        if not word:
            continue
        first: Pattern = Blank(word[1:-1]) if word[0] == "{" else Word(word)
        alternatives.append(first if rest.keys() == {""} else Series((first, _pattern_of(rest))))
    pattern = alternatives[0] if len(alternatives) == 1 else OneOf(tuple(alternatives))
    return Maybe(pattern) if "" in tree else pattern


def to_regex(pattern: Pattern, optional_words: frozenset[str] = frozenset()) -> str:
    """Return a regular expression over words that are each followed by one space; the pattern is resolved.

    Blanks become groups named `slot__n`; `optional_words` match whether they are said or not.
    There is no repetition in the notation but the bounded one of blanks, so matching cannot blow up.
    """
    counter = itertools.count()

    def write(part: Pattern) -> str:
        match part:
            case Word(text):
                escaped = re.escape(text) + " "
                return f"(?:{escaped})?" if text in optional_words else escaped
            case Series(parts):
                return "".join(write(each) for each in parts)
            case OneOf(parts):
                return "(?:" + "|".join(write(each) for each in parts) + ")"
            case Maybe(inner):
                return f"(?:{write(inner)})?"
            case Blank(slot):
                return rf"(?P<{slot}__{next(counter)}>(?:\S+ ){{1,12}}?)"
            case Reference(name):
                raise PhraseError(f"<{name}> is not resolved")

    return write(pattern)


def to_jsgf(pattern: Pattern) -> str:
    """Return the right side of a JSGF rule; references become `<name>`, blanks `<slot_name>`."""
    match pattern:
        case Word(text):
            return text
        case Series(parts):
            return " ".join(to_jsgf(part) for part in parts) if parts else "<NULL>"
        case OneOf(parts):
            return "( " + " | ".join(to_jsgf(part) for part in parts) + " )"
        case Maybe(part):
            return f"[ {to_jsgf(part)} ]"
        case Reference(name):
            return f"<{name}>"
        case Blank(name):
            return f"<slot_{name}>"
