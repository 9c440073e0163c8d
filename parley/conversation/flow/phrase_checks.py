"""Whether a flow's phrases can be understood: syntax, languages, synonyms, no sentence with two meanings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from parley.conversation.flow import schema
from parley.conversation.flow.edition import ALWAYS, BUILT_IN, phrases_in
from parley.conversation.flow.languages import LANGUAGES, Language
from parley.conversation.flow.phrases import (
    Blank,
    OneOf,
    Pattern,
    PhraseError,
    Word,
    list_sentences,
    parse_phrase,
    parts_of,
    resolve,
)
from parley.conversation.flow.shape import suggest
from parley.conversation.flow.source import Path, Problem, Source


def check_phrases(flow: schema.FlowFile, source: Source) -> list[Problem]:
    """Note every problem; return the warnings."""
    warnings: list[Problem] = []
    for path, phrases in _all_phrases(flow):
        _check_languages(path, phrases, flow, source)
    for code in flow.languages:
        if code in LANGUAGES:
            _LanguageCheck(flow, source, LANGUAGES[code], warnings).run()
    return warnings


def _all_phrases(flow: schema.FlowFile) -> Iterator[tuple[Path, schema.Phrases]]:
    for name, phrases in flow.synonyms.items():
        yield ("synonyms", name), phrases
    for name, intent in flow.intents.items():
        if intent.phrases is not None:
            yield ("intents", name, "phrases"), intent.phrases
    for name, slot in flow.slots.items():
        for option, spec in slot.options.items() if isinstance(slot, schema.ChoiceSlot) else ():
            yield ("slots", name, "options", option), spec.phrases


def _check_languages(path: Path, phrases: schema.Phrases, flow: schema.FlowFile, source: Source) -> None:
    given = set(phrases.by_language)
    for language in flow.languages:
        if language not in given and not ("" in given and language == flow.languages[0]):
            source.problem(
                path, f"the phrases for '{language}' are missing", f"add '{language}:' with a list of phrases"
            )
    for language in given - {"", *flow.languages}:
        todo = f"add it to 'languages:', or {suggest(language, flow.languages)}"
        source.problem((*path, language), f"'{language}' is not a language of this flow", todo)


class _LanguageCheck:
    """The checks of one language."""

    def __init__(self, flow: schema.FlowFile, source: Source, language: Language, warnings: list[Problem]) -> None:
        self._flow = flow
        self._source = source
        self._language = language
        self._warnings = warnings
        self._rules: dict[str, Pattern] = {}

    def run(self) -> None:
        for name, phrases in self._flow.synonyms.items():
            found = [pattern for _, pattern in self._parse(("synonyms", name), phrases, resolved=False)]
            if found:
                self._rules[name] = OneOf(tuple(found))
        sentences = self._intent_sentences()
        self._check_shared(sentences)
        for name, slot in self._flow.slots.items():
            if isinstance(slot, schema.ChoiceSlot):
                self._check_options(name, slot)

    def _intent_sentences(self) -> dict[str, dict[str, Path]]:
        """Return intent → sentence → where it was written."""
        found: dict[str, dict[str, Path]] = {}
        for name in BUILT_IN:
            for phrase in self._language.intents[name]:
                pattern = parse_phrase(phrase, self._language.words)
                found.setdefault(name, {}).update(dict.fromkeys(list_sentences(pattern), ("intents", name)))
        for name, intent in self._flow.intents.items():
            path: Path = ("intents", name, "phrases")
            if intent.phrases is None:
                if name not in BUILT_IN:
                    self._source.problem(("intents", name), f"intent '{name}' has no phrases", "add 'phrases:'")
                continue
            for place, pattern in self._parse(path, intent.phrases):
                self._check_blanks(place, pattern)
                found.setdefault(name, {}).update(dict.fromkeys(self._list(place, pattern), place))
        return found

    def _parse(self, path: Path, phrases: schema.Phrases, resolved: bool = True) -> list[tuple[Path, Pattern]]:
        found: list[tuple[Path, Pattern]] = []
        code = self._language.code
        for at, text in enumerate(phrases_in(phrases, code, self._flow.languages[0])):
            place: Path = (*path, code, at) if self._source.has((*path, code)) else (*path, "phrases", code, at)
            if not phrases.by_language.get(code):
                place = (*path, at)
            try:
                pattern = parse_phrase(text, self._language.words)
                found.append((place, resolve(pattern, self._rules) if resolved else pattern))
            except PhraseError as err:
                self._problem(place, err)
                continue
            self._warn_of_odd_words(place, found[-1][1])
        return found

    def _list(self, place: Path, pattern: Pattern) -> Sequence[str]:
        try:
            return list_sentences(pattern)
        except PhraseError as err:
            self._problem(place, err)
            return ()

    def _problem(self, place: Path, err: PhraseError) -> None:
        what, _, todo = str(err).partition("; ")
        self._source.problem(place, what, todo)

    def _warn_of_odd_words(self, place: Path, pattern: Pattern) -> None:
        for part in parts_of(pattern):
            if isinstance(part, Word) and not self._language.may_be_in_dictionary(part.text):
                what = f"no dictionary of '{self._language.code}' can hold '{part.text}'"
                self._warnings.append(Problem(self._source.line_of(place), what, "write it as it is spoken"))

    def _check_blanks(self, place: Path, pattern: Pattern) -> None:
        for part in parts_of(pattern):
            if not isinstance(part, Blank):
                continue
            slot = self._flow.slots.get(part.slot)
            if slot is None:
                todo = suggest(part.slot, self._flow.slots)
                self._source.problem(place, f"there is no slot '{part.slot}'", todo)
            elif isinstance(slot, schema.FreeSlot | schema.YesNoSlot):
                todo = "use a slot of another type, or leave it out"
                self._source.problem(place, f"a '{slot.type}' slot cannot stand in a phrase", todo)

    def _check_shared(self, sentences: dict[str, dict[str, Path]]) -> None:
        """No sentence may mean two things at the same question."""
        everywhere = [*ALWAYS, *(name for name, intent in self._flow.intents.items() if intent.everywhere)]
        for node in self._flow.nodes.values():
            if node.ask is not None:
                self._check_distinct([*node.choices, *everywhere], sentences)

    def _check_options(self, name: str, slot: schema.ChoiceSlot) -> None:
        sentences: dict[str, dict[str, Path]] = {}
        for option, spec in slot.options.items():
            for place, pattern in self._parse(("slots", name, "options", option), spec.phrases):
                sentences.setdefault(option, {}).update(dict.fromkeys(self._list(place, pattern), place))
        self._check_distinct(list(slot.options), sentences)

    def _check_distinct(self, names: Sequence[str], sentences: dict[str, dict[str, Path]]) -> None:
        owner: dict[str, str] = {}
        for name in dict.fromkeys(names):
            for sentence, place in sentences.get(name, {}).items():
                other = owner.setdefault(sentence, name)
                if other == name:
                    continue
                path = place if len(place) > 2 else sentences[other][sentence]
                said = self._language.join(sentence.split())
                problem = Problem(
                    self._source.line_of(path), f"'{said}' means both '{other}' and '{name}'", "change one of the two"
                )
                if problem not in self._source.problems:
                    self._source.problems.append(problem)
                break
