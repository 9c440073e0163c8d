"""A loaded flow: what `load_flow` returns and a `FlowRun` goes through."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from parley.conversation.flow import schema
from parley.conversation.flow.edition import Edition
from parley.conversation.flow.grammar import write_grammar
from parley.conversation.flow.phrases import Word, parse_phrase, parts_of
from parley.conversation.flow.prompts import Recordings
from parley.conversation.flow.question import Confirm, Question, ask_at, key_announcement, possible_questions
from parley.conversation.flow.repairs import prepare_repairs
from parley.conversation.flow.slots import Saying
from parley.conversation.flow.step import Line
from parley.conversation.flow.template import Variable


class Flow:
    """A call script that has been checked. Immutable for its users; shared by all calls."""

    def __init__(self, spec: schema.FlowFile, recordings: Mapping[str, Recordings], fingerprint: str = "") -> None:
        """recordings: by language, then by prompt key.   fingerprint: tells one text of the flow from another."""
        self.spec = spec
        self.fingerprint = fingerprint
        self.warnings: tuple[str, ...] = ()
        """Things worth an author's look, one line each: `file:line: what; what to do`."""
        self._editions = {code: Edition(spec, code, recordings.get(code, {})) for code in spec.languages}
        self._grammars: dict[tuple[str, ...], str] = {}

    def prepare(self) -> None:
        """Make everything that calls need now, so that none of them waits for it: some 10 ms per question."""
        for edition in self._editions.values():
            prepare_repairs(edition.language)
            _ = edition.passages, edition.summaries
            for question in possible_questions(self.spec, edition.slots):
                edition.book(question)
                self.grammar(edition, question)

    @property
    def name(self) -> str:
        """The flow's name."""
        return self.spec.flow

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP-47 primary tags; the first is the default."""
        return self.spec.languages

    @property
    def fallback_queue(self) -> str:
        """The queue for callers whom the flow cannot serve, with the variables' defaults filled in."""
        text = self.spec.fallback
        for name, default in self.spec.variables.items():
            text = text.replace("{" + name + "}", default)
        return text

    def edition(self, language: str) -> Edition:
        """Return the flow in one of its languages."""
        return self._editions[language]

    def grammar(self, edition: Edition, question: Question) -> str:
        """Return the question's JSGF grammar; written once."""
        key = (edition.language.code, *_shape(question))
        if key not in self._grammars:
            self._grammars[key] = write_grammar(edition, question)
        return self._grammars[key]

    def fixed_prompts(self, language: str) -> list[Line]:
        """Return every sentence that has the same words in each call, the first nodes' first: for a cache."""
        edition = self._editions[language]
        lines: dict[Line, None] = {}
        for key, passage in edition.passages.items():
            if key.startswith("sayings.reason_"):
                continue
            for sentence in passage:
                if not sentence.template.variables and not sentence.recording:
                    text = "".join(str(piece) for piece in sentence.template.pieces)
                    lines[Line(text, as_written=sentence.as_written)] = None
        for saying in self._sayings_with_known_values(edition):
            for sentence in edition.passages[f"sayings.{saying.name}"]:
                filled = sentence.template.fill(_speaker(saying.values))
                if filled is not None and not sentence.recording:
                    lines[Line(filled, as_written=sentence.as_written)] = None
        return list(lines)

    def vocabulary(self, language: str) -> frozenset[str]:
        """Return every word that the grammars of this language can ask a recogniser for."""
        edition = self._editions[language]
        words: set[str] = set()
        patterns = [pattern for several in edition.intents.values() for pattern in several]
        for slot in edition.slots.values():
            if (speech := slot.speech()) is not None:
                patterns += [*speech.patterns, *speech.rules.values()]
        pack = edition.language
        around = [*pack.corrections, *pack.taken_back, *pack.courtesies, *pack.greetings]
        around += [text for slot in edition.slots.values() for text in pack.before_value(slot.kind)]
        patterns += [parse_phrase(text, pack.words) for text in around]
        for pattern in patterns:
            words |= {part.text for part in parts_of(pattern) if isinstance(part, Word)}
        return frozenset(words)

    def unknown_words(self, language: str, dictionary: Container[str]) -> list[str]:
        """Return the words of the grammars that a recogniser's dictionary lacks."""
        return sorted(word for word in self.vocabulary(language) if word not in dictionary)

    def _sayings_with_known_values(self, edition: Edition) -> list[Saying]:
        found: list[Saying] = []
        for name, node in self.spec.nodes.items():
            if node.ask is None:
                continue
            ask = ask_at(name, node, edition.slots)
            labels = {choice: edition.label(choice) for choice in node.choices}
            found += key_announcement(ask, labels)
            found += [Saying("did_you_say", {"value": label}) for label in labels.values()]
        found += [Saying("did_you_say", {"value": edition.label(intent)}) for intent in edition.everywhere]
        return found


def _shape(question: Question) -> tuple[str, ...]:
    """What the grammar depends on: the question without the value that is being confirmed."""
    ask = question.ask if isinstance(question, Confirm) else question
    confirmed = ("confirm", question.slot_name) if isinstance(question, Confirm) else ("ask", "")
    return (*confirmed, ask.node, *ask.correctable)


def _speaker(values: Mapping[str, str]) -> Callable[[Variable], str]:
    return lambda variable: values.get(variable.name, "")
