"""Loads call scripts: YAML file → Flow, or a FlowError that names every problem with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from parley.conversation.errors import FlowError
from parley.conversation.flow.checks import check_flow
from parley.conversation.flow.edition import BUILT_IN
from parley.conversation.flow.flow import Flow
from parley.conversation.flow.phrase_checks import check_phrases
from parley.conversation.flow.prompts import Recordings
from parley.conversation.flow.schema import FlowFile
from parley.conversation.flow.shape import read_shape, suggest
from parley.conversation.flow.source import Problem, Source, read_source

__all__ = ["Flow", "find_flow", "load_flow", "load_flow_text"]

FILE_NAME = "flow.yaml"


def load_flow(path: Path) -> Flow:
    """Load a flow. path: its folder, or its `flow.yaml`.

    Recorded prompts are found beside it, in `prompts/<language>/<key>.wav`.
    Raises FlowError, one line per problem: `file:line: what; what to do`.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        raise FlowError(f"{file}:1: the file is not UTF-8 text; save it as UTF-8") from err
    except OSError as err:
        raise FlowError(f"{file}:1: the file cannot be read ({err.strerror}); check its name and its rights") from err
    return load_flow_text(text, str(file), file.parent / "prompts")


def load_flow_text(text: str, file: str = FILE_NAME, prompts_folder: Path | None = None) -> Flow:
    """Load a flow from YAML text. file: how errors call it. Raises FlowError."""
    source = read_source(text)
    spec = read_shape(source) if not source.problems else None
    warnings: list[Problem] = []
    if spec is not None:
        check_flow(spec, source)
        warnings = check_phrases(spec, source)
    if spec is None or source.problems:
        raise FlowError("\n".join(_texts(source.problems, file)))
    recordings = {language: _find_recordings(prompts_folder, language) for language in spec.languages}
    warnings += _unused(spec, source)
    flow = Flow(spec, recordings, hashlib.sha256(text.encode()).hexdigest()[:16])
    flow.prepare()
    flow.warnings = (*_texts(warnings, file), *_needless_recordings(flow, recordings))
    return flow


def find_flow(name: str, folders: Sequence[Path]) -> Path:
    """Return the folder of a flow; the first of `folders` that has it wins. Raises FlowError."""
    there = {file.parent.name: file.parent for folder in reversed(folders) for file in folder.glob(f"*/{FILE_NAME}")}
    if name not in there:
        searched = ", ".join(str(folder) for folder in folders) or "no folder"
        raise FlowError(f"{name}: there is no flow of this name in {searched}; {suggest(name, there)}")
    return there[name]


def _texts(problems: Sequence[Problem], file: str) -> list[str]:
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: problem.line)
    return [problem.text(file) for problem in ordered]


def _find_recordings(folder: Path | None, language: str) -> Recordings:
    if folder is None:
        return {}
    return {file.stem: str(file) for file in sorted((folder / language).glob("*.wav"))}


def _needless_recordings(flow: Flow, recordings: dict[str, Recordings]) -> list[str]:
    found = []
    for language, files in recordings.items():
        used = {sentence.recording for passage in flow.edition(language).passages.values() for sentence in passage}
        for path in files.values():
            if path not in used:
                what = "no prompt plays this recording"
                todo = "name it after its prompt, such as nodes.greeting.say.wav; prompts with variables have none"
                found.append(f"{path}:1: {what}; {todo}")
    return found


def _unused(spec: FlowFile, source: Source) -> list[Problem]:
    found: list[Problem] = []
    slots = {node.slot for node in spec.nodes.values()} | {name for node in spec.nodes.values() for name in node.set}
    chosen = {choice for node in spec.nodes.values() for choice in node.choices}
    for name in spec.slots:
        if name not in slots:
            found.append(
                Problem(source.line_of(("slots", name)), f"slot '{name}' is never asked for", "ask, or remove it")
            )
    for name, intent in spec.intents.items():
        if name not in chosen and intent.everywhere is None and intent.phrases is not None and name not in BUILT_IN:
            what = f"intent '{name}' leads nowhere"
            found.append(
                Problem(source.line_of(("intents", name)), what, "use it under 'choices:' or add 'everywhere:'")
            )
    return found
