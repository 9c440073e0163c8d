"""The JSGF grammar of a question: every expected answer, corrections and what is understood everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parley.conversation.flow.edition import Edition
from parley.conversation.flow.phrase_book import NO, YES
from parley.conversation.flow.phrases import (
    Blank,
    Maybe,
    OneOf,
    Pattern,
    Reference,
    Series,
    Word,
    left_factored,
    parse_phrase,
    parts_of,
    sentences_of,
    to_jsgf,
)
from parley.conversation.flow.question import Ask, Confirm, Question
from parley.conversation.flow.step import AnswerKind


def write_grammar(edition: Edition, question: Question) -> str:
    """Return the grammar of a question; empty when it takes an open vocabulary."""
    return _GrammarWriter(edition).write(question)


class _GrammarWriter:
    """Writes one grammar; rules are added once, however often they are used."""

    def __init__(self, edition: Edition) -> None:
        self._edition = edition
        self._rules: dict[str, Pattern] = {}

    def write(self, question: Question) -> str:
        """Return the grammar's text; empty when the question takes an open vocabulary."""
        if isinstance(question, Ask) and question.kind is AnswerKind.FREE:
            return ""
        public = self._confirm(question) if isinstance(question, Confirm) else self._ask(question)
        lines = ["#JSGF V1.0;", "grammar answer;", f"public <answer> = {self._greeting(question)}{_one_of(public)};"]
        lines += [f"<{name}> = {to_jsgf(pattern)};" for name, pattern in self._rules.items()]
        return "\n".join(lines) + "\n"

    def _greeting(self, question: Question) -> str:
        """A greeting before the first answer. Not before a yes or no, where 'hello' is too close to 'no'."""
        if isinstance(question, Confirm):
            return ""
        greetings = self._edition.language.greetings
        self._rules["greeting"] = OneOf(tuple(parse_phrase(text, _no_words) for text in greetings))
        return "[ <greeting> ] "

    def _ask(self, ask: Ask) -> list[Pattern]:
        public: list[Pattern] = []
        if ask.slot is not None:
            language = self._edition.language
            public.append(self._value(ask.slot_name, "lead", language.before_value(ask.kind)))
        public += self._corrections(ask.correctable, bare=False)
        public.append(self._intents((*ask.choices, *self._edition.everywhere)))
        return public

    def _confirm(self, confirm: Confirm) -> list[Pattern]:
        public: list[Pattern] = []
        if confirm.slot_name:
            public += self._corrections((confirm.slot_name,), bare=True)
        else:
            public += self._corrections(confirm.ask.correctable, bare=False)
        intents = dict.fromkeys((YES, NO, *confirm.ask.choices, *self._edition.everywhere))
        public.append(self._intents(tuple(intents)))
        return public

    def _intents(self, names: Sequence[str]) -> Pattern:
        """All intents as one rule: they share their beginnings."""
        self._rules["intent"] = self._edition.phrases(names)
        for pattern in (pattern for name in names for pattern in self._edition.intents[name]):
            for part in parts_of(pattern):
                if isinstance(part, Blank):
                    self._add_slot(part.slot)
        return Reference("intent")

    def _corrections(self, names: Iterable[str], bare: bool) -> list[Pattern]:
        """'no, I said Thursday', 'not Tuesday, Thursday'. bare: 'Thursday' alone, too."""
        language = self._edition.language
        found: list[Pattern] = []
        for name in names:
            slot = self._edition.slots[name]
            if slot.kind in (AnswerKind.YES_NO, AnswerKind.FREE):
                continue
            found.append(self._value(name, "correction", language.corrections, optional=bare))
            speech = slot.speech()
            if speech is not None and speech.short:
                self._add_slot(name)
                self._rules[f"{name}_short"] = OneOf(tuple(_prefixed(pattern, f"{name}_") for pattern in speech.short))
                found.append(parse_phrase(f"<taken_back> <{name}_short> {{{name}}}", _no_words))
                taken_back = tuple(parse_phrase(text, language.words) for text in language.taken_back)
                self._rules.setdefault("taken_back", OneOf(taken_back))
        return found

    def _value(self, slot_name: str, rule: str, before: Sequence[str], optional: bool = True) -> Pattern:
        """A value with what callers say before and after it."""
        language = self._edition.language
        self._add_slot(slot_name)
        lead = ""
        if before:
            patterns = (parse_phrase(text, language.words) for text in before)
            self._rules.setdefault(rule, left_factored(text for pattern in patterns for text in sentences_of(pattern)))
            lead = f"[<{rule}>]" if optional else f"<{rule}>"
        after = OneOf(tuple(parse_phrase(text, language.words) for text in language.courtesies))
        self._rules.setdefault("courtesy", after)
        return parse_phrase(f"{lead} {{{slot_name}}} [<courtesy>]", _no_words)

    def _add_slot(self, name: str) -> None:
        speech = self._edition.slots[name].speech()
        if speech is None or f"slot_{name}" in self._rules:
            return
        prefix = f"{name}_"
        self._rules[f"slot_{name}"] = OneOf(tuple(_prefixed(pattern, prefix) for pattern in speech.patterns))
        for rule, pattern in speech.rules.items():
            self._rules[prefix + rule] = _prefixed(pattern, prefix)


def _one_of(patterns: Sequence[Pattern]) -> str:
    return to_jsgf(OneOf(tuple(patterns)))


def _no_words(text: str) -> list[str]:
    return text.split()


def _prefixed(pattern: Pattern, prefix: str) -> Pattern:
    """Give every reference a prefix, so that two slots' rules cannot meet."""
    match pattern:
        case Reference(name):
            return Reference(prefix + name)
        case Series(parts):
            return Series(tuple(_prefixed(part, prefix) for part in parts))
        case OneOf(parts):
            return OneOf(tuple(_prefixed(part, prefix) for part in parts))
        case Maybe(part):
            return Maybe(_prefixed(part, prefix))
        case Word() | Blank():
            return pattern
