"""Prompts made ready for one language: sentences to be filled in, each with its recording if there is one.

A prompt's key names its recordings: `prompts/en/<key>.wav` replaces the whole prompt, `prompts/en/<key>.<n>.wav`
its n-th sentence. Sentences with variables are always synthesised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from parley.conversation.flow.schema import Prompt, PromptLine
from parley.conversation.flow.step import Line
from parley.conversation.flow.template import Template, Variable, parse_sentences

Recordings = Mapping[str, str]
"""Key → path of a WAV file, for one language."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a prompt."""

    template: Template
    recording: str = ""
    interruptible: bool = True
    as_written: bool = False


Passage = tuple[Sentence, ...]


def text_of(line: PromptLine, language: str, default_language: str) -> str:
    """Return the line's text; empty when it has none in this language."""
    text = line.texts.get(language)
    if text is None and language == default_language:
        text = line.texts.get("")
    return text or ""


def compile_prompt(prompt: Prompt, key: str, language: str, default_language: str, recordings: Recordings) -> Passage:
    """Cut a prompt into sentences. Raises TemplateError."""
    sentences = [
        Sentence(template, interruptible=line.interruptible, as_written=line.as_written)
        for line in prompt.lines
        for template in parse_sentences(text_of(line, language, default_language))
    ]
    fixed = not any(sentence.template.variables for sentence in sentences)
    if fixed and key in recordings:
        text = " ".join(piece for each in sentences for piece in each.template.pieces if isinstance(piece, str))
        return (Sentence(Template((text,)), recordings[key], all(each.interruptible for each in sentences)),)
    return tuple(
        Sentence(
            sentence.template,
            "" if sentence.template.variables else recordings.get(f"{key}.{number}", ""),
            sentence.interruptible,
            sentence.as_written,
        )
        for number, sentence in enumerate(sentences, start=1)
    )


def fill(passage: Sequence[Sentence], say: Callable[[Variable], str]) -> list[Line]:
    """Return the lines to be spoken; a sentence that lacks a value is left out."""
    lines = []
    for sentence in passage:
        text = sentence.template.fill(say)
        if text is not None:
            lines.append(Line(text, sentence.recording, sentence.interruptible, sentence.as_written))
    return lines
