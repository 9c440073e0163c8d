"""Parsed YAML → `FlowFile`, with every error of shape put in an author's words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from parley.conversation.flow import schema
from parley.conversation.flow.source import Source

SLOT_TYPES: dict[str, type[BaseModel]] = {
    get_args(model.model_fields["type"].annotation)[0]: model
    for model in (
        schema.YesNoSlot,
        schema.DigitsSlot,
        schema.NumberSlot,
        schema.ChoiceSlot,
        schema.DaySlot,
        schema.FreeSlot,
    )
}

_MODELS: tuple[tuple[tuple[str, ...], type[BaseModel]], ...] = (
    ((), schema.FlowFile),
    (("confidence",), schema.Confidence),
    (("intents", "*"), schema.Intent),
    (("slots", "*"), schema.SlotPart),
    (("slots", "*", "options", "*"), schema.ChoiceOption),
    (("nodes", "*"), schema.Node),
    (("nodes", "*", "transfer"), schema.TransferTo),
    (("nodes", "*", "choices", "*"), schema.Choice),
)
"""Place in the file → what may stand there; `*` is any name. A place below all of these is a branch."""


def read_shape(source: Source) -> schema.FlowFile | None:
    """Return the flow, or None with the problems noted in `source`."""
    if not isinstance(source.value, dict):
        source.problem((), "the file is not a flow", "start with 'flow: NAME' and go on with 'languages:' and 'nodes:'")
        return None
    try:
        return schema.FlowFile.model_validate(source.value)
    except ValidationError as err:
        for error in err.errors(include_url=False):
            _note(source, error)
    return None


def suggest(name: str, known: Iterable[str]) -> str:
    """Return what to write instead of an unknown name: the nearest known one, or a list."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"use one of: {', '.join(known)}" if known else "there are none yet"


def _note(source: Source, error: ErrorDetails) -> None:
    kind, loc, message = error["type"], error["loc"], error["msg"]
    path = _path_in_file(source, loc)
    name = str(loc[-1]) if loc else ""
    if kind == "extra_forbidden":
        source.problem(path, f"unknown key '{name}'", suggest(name, _keys_at(source, path[:-1])))
    elif kind == "missing":
        source.problem(path, f"'{name}' is missing", f"add '{name}:'{_where(path)}")
    elif kind == "union_tag_not_found":
        source.problem(path, "the slot has no 'type'", f"add 'type:' with one of: {', '.join(SLOT_TYPES)}")
    elif kind == "union_tag_invalid":
        source.problem(
            (*path, "type"), f"unknown slot type '{error['ctx']['tag']}'", suggest(str(error["ctx"]["tag"]), SLOT_TYPES)
        )
    elif kind == "string_pattern_mismatch":
        source.problem(
            path, f"'{error['input']}' is not a name", "use lower-case letters, digits and _, starting with a letter"
        )
    elif kind == "literal_error":
        source.problem(path, f"'{error['input']}' cannot stand here", f"use one of: {error['ctx']['expected']}")
    elif kind == "value_error":
        what, _, todo = message.removeprefix("Value error, ").partition("; ")
        source.problem(path, what, todo or "see docs/flows.md")
    else:
        source.problem(path, f"'{name}': {message[0].lower()}{message[1:]}", _expected(kind))


def _expected(kind: str) -> str:
    if kind.startswith(("model", "dict", "mapping")):
        return "write 'name: value' lines, indented below it"
    if kind.startswith(("int", "float", "greater", "less")):
        return "write a number within that"
    return "write plain text" if kind.startswith("string") else "see docs/flows.md"


def _path_in_file(source: Source, loc: Sequence[str | int]) -> tuple[str | int, ...]:
    """Drop the parts of pydantic's location that are ours and not the file's: slot types, inner fields."""
    path: tuple[str | int, ...] = ()
    for at, part in enumerate(loc):
        if part == "[key]":
            continue
        if source.has((*path, part)) or at == len(loc) - 1:
            path = (*path, part)
    return path


def _where(path: Sequence[str | int]) -> str:
    return f" to '{path[-2]}'" if len(path) > 1 else ""


def _keys_at(source: Source, path: Sequence[str | int]) -> list[str]:
    for places, model in _MODELS:
        if len(places) == len(path) and all(place in ("*", part) for place, part in zip(places, path, strict=True)):
            if model is not schema.SlotPart:
                return list(model.model_fields)
            slot = source.value[path[0]][path[1]]
            return list(SLOT_TYPES.get(str(slot.get("type")), model).model_fields)
    return list(schema.Branch.model_fields)
