"""A flow made ready for one language: phrases parsed, prompts cut into sentences, slots made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from parley.conversation.flow import schema
from parley.conversation.flow.languages import LANGUAGES, Language
from parley.conversation.flow.phrase_book import NO, YES, PhraseBook
from parley.conversation.flow.phrases import OneOf, Pattern, Rules, left_factored, parse_phrase, resolve, sentences_of
from parley.conversation.flow.prompts import Passage, Recordings, compile_prompt, text_of
from parley.conversation.flow.question import Question, intents_at
from parley.conversation.flow.slots import Slot, make_slot
from parley.conversation.text.sentences import split_sentences

ALWAYS = ("person", "repeat", "help", "goodbye", "start_over")
"""Built-in intents that are understood in every node."""
BACK = "back"
"""`go: back` returns to the question that was being asked."""
BUILT_IN = (YES, NO, *ALWAYS)


def phrases_in(phrases: schema.Phrases | None, language: str, default_language: str) -> tuple[str, ...]:
    """Return an author's phrases in one language."""
    if phrases is None:
        return ()
    own = phrases.by_language.get(language, ())
    return own or (phrases.by_language.get("", ()) if language == default_language else ())


class Edition:
    """One flow in one language. Raises PhraseError or TemplateError where `checks` has not been asked first."""

    def __init__(self, flow: schema.FlowFile, language: str, recordings: Recordings) -> None:
        self.flow = flow
        self.language: Language = LANGUAGES[language]
        self._default = flow.languages[0]
        self._recordings = recordings
        self._rules = self._synonyms()
        self.intents: Mapping[str, Sequence[Pattern]] = self._all_intents()
        self.everywhere: tuple[str, ...] = (
            *(name for name, intent in flow.intents.items() if intent.everywhere and name not in ALWAYS),
            *ALWAYS,
        )
        self.slots: Mapping[str, Slot] = {name: self._slot(spec) for name, spec in flow.slots.items()}
        self._books: dict[tuple[str, ...], PhraseBook] = {}
        self._factored: dict[tuple[str, ...], Pattern] = {}

    def book(self, question: Question) -> PhraseBook:
        """Return the phrase book of what is understood at a question; made once."""
        key = intents_at(question, self.everywhere)
        if key not in self._books:
            self._books[key] = PhraseBook({name: self.intents[name] for name in key}, self.language)
        return self._books[key]

    def phrases(self, intents: Sequence[str]) -> Pattern:
        """Return all phrases of these intents as one pattern, in which they share their beginnings; made once."""
        key = tuple(intents)
        if key not in self._factored:
            patterns = (pattern for name in key for pattern in self.intents[name])
            self._factored[key] = left_factored(text for pattern in patterns for text in sentences_of(pattern))
        return self._factored[key]

    def label(self, intent: str) -> str:
        """Return how the agent names an intent."""
        spec = self.flow.intents.get(intent)
        if spec is not None and spec.label is not None:
            return self._plain(spec.label)
        if intent in self.language.labels:
            return self.language.labels[intent]
        return intent.replace("_", " ")

    @cached_property
    def passages(self) -> Mapping[str, Passage]:
        """Every prompt by its key."""
        found: dict[str, Passage] = {}
        for key, prompt in collect_prompts(self.flow).items():
            found[key] = self._compile(key, prompt, self._recordings)
        for name, text in self.language.sayings.items():
            key = f"sayings.{name}"
            if key not in found:
                line = schema.PromptLine(texts={self.language.code: text})
                prompt = schema.Prompt.model_construct(lines=(line,))
                found[key] = self._compile(key, prompt, self._recordings)
        return found

    @cached_property
    def summaries(self) -> Mapping[str, Passage]:
        """Every summary for queue agents by its key."""
        return {key: self._compile(key, prompt, {}) for key, prompt in collect_summaries(self.flow).items()}

    def _compile(self, key: str, prompt: schema.Prompt, recordings: Recordings) -> Passage:
        return compile_prompt(prompt, key, self.language.code, self._default, recordings)

    def _synonyms(self) -> Rules:
        rules: dict[str, Pattern] = {}
        for name, phrases in self.flow.synonyms.items():
            texts = phrases_in(phrases, self.language.code, self._default)
            rules[name] = OneOf(tuple(parse_phrase(text, self.language.words) for text in texts))
        return rules

    def _all_intents(self) -> dict[str, list[Pattern]]:
        found: dict[str, list[Pattern]] = {name: self._parse(self.language.intents[name]) for name in BUILT_IN}
        for name, intent in self.flow.intents.items():
            own = self._parse(phrases_in(intent.phrases, self.language.code, self._default))
            found[name] = own + found.get(name, [])
        return found

    def _parse(self, phrases: Sequence[str]) -> list[Pattern]:
        return [resolve(parse_phrase(phrase, self.language.words), self._rules) for phrase in phrases]

    def _slot(self, spec: schema.Slot) -> Slot:
        if not isinstance(spec, schema.ChoiceSlot):
            return make_slot(spec, self.language, self.intents, {})
        patterns, labels = {}, {}
        for name, option in spec.options.items():
            patterns[name] = self._parse(phrases_in(option.phrases, self.language.code, self._default))
            labels[name] = self._plain(option.label) if option.label is not None else name.replace("_", " ")
        return make_slot(spec, self.language, patterns, labels)

    def _plain(self, prompt: schema.Prompt) -> str:
        texts = (text_of(line, self.language.code, self._default) for line in prompt.lines)
        return " ".join(sentence for text in texts for sentence in split_sentences(" ".join(text.split())))


def collect_prompts(flow: schema.FlowFile) -> dict[str, schema.Prompt]:
    """Return every prompt that is spoken to the caller, by key, in the order of the nodes."""
    found: dict[str, schema.Prompt] = {}
    for name, node in flow.nodes.items():
        for part, prompt in (("say", node.say), ("ask", node.ask), ("help", node.help), ("keys", node.keys)):
            if prompt is not None:
                found[f"nodes.{name}.{part}"] = prompt
        for part, several in (("no_input", node.no_input), ("no_match", node.no_match)):
            for number, prompt in enumerate(several.prompts if several else (), start=1):
                found[f"nodes.{name}.{part}.{number}"] = prompt
    for name, slot in flow.slots.items():
        for part, prompt in (("read_back", slot.read_back), ("invalid", slot.invalid)):
            if prompt is not None:
                found[f"slots.{name}.{part}"] = prompt
    return found | {f"sayings.{name}": prompt for name, prompt in flow.sayings.items()}


def collect_summaries(flow: schema.FlowFile) -> dict[str, schema.Prompt]:
    """Return every summary for queue agents, by key."""
    found = {"summary": flow.summary} if flow.summary is not None else {}
    for name, node in flow.nodes.items():
        if node.transfer is not None and node.transfer.summary is not None:
            found[f"nodes.{name}.transfer.summary"] = node.transfer.summary
    return found
