"""Scripted dialogues: an author's tests of a flow, run without a PBX and without speech.

`tests.yaml` beside a flow holds them; `rehearse` plays one and tells what went otherwise than written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from parley.conversation.errors import FlowError
from parley.conversation.flow.flow import Flow
from parley.conversation.flow.run import FlowRun
from parley.conversation.flow.schema import Part
from parley.conversation.flow.source import read_source
from parley.conversation.flow.step import GoOn, HangUp, Heard, Listen, Step, Transfer

FILE_NAME = "tests.yaml"
Saved = str | int | float | bool


class Turn(Part):
    """What the caller does, and what must be heard then."""

    caller: str = ""
    keys: str = ""
    silence: bool = False
    confidence: float = Field(default=1.0, ge=0, le=1)
    agent: tuple[str, ...] = ()
    """Texts that the agent's words must contain."""
    node: str = ""
    transfer: str = ""
    end: Literal["", "hangup", "dialplan"] = ""

    @field_validator("keys", "caller", "transfer", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("agent", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Expected(Part):
    """What the dialplan gets in the end; what is not written is not looked at."""

    outcome: str | None = None
    intent: str | None = None
    summary: str | None = None
    """Must be contained in the summary."""
    slots: Mapping[str, Saved] = Field(default_factory=dict)
    gave_up: bool | None = None


class Rehearsal(Part):
    """One dialogue."""

    name: str
    language: str = ""
    """Empty: the flow's first one."""
    today: date
    variables: Mapping[str, Saved] = Field(default_factory=dict)
    turns: tuple[Turn, ...] = Field(min_length=1)
    """The first is the greeting: the caller does nothing in it."""
    result: Expected = Expected()


def load_rehearsals(path: Path) -> list[Rehearsal]:
    """Load a `tests.yaml`. path: the flow's folder, or the file. Raises FlowError."""
    file = path / FILE_NAME if path.is_dir() else path
    try:
        source = read_source(file.read_text(encoding="utf-8"))
    except OSError as err:
        raise FlowError(f"{file}:1: the file cannot be read ({err.strerror}); check its name and its rights") from err
    if source.problems:
        raise FlowError("\n".join(problem.text(str(file)) for problem in source.problems))
    try:
        return TypeAdapter(list[Rehearsal]).validate_python(source.value)
    except ValidationError as err:
        lines = [
            f"{file}:{source.line_of(error['loc'])}: '{error['loc'][-1] if error['loc'] else 'file'}': {error['msg']}; "
            "see docs/flows.md, Rehearsals"
            for error in err.errors(include_url=False)
        ]
        raise FlowError("\n".join(lines)) from err


def rehearse(flow: Flow, rehearsal: Rehearsal) -> list[str]:
    """Play a dialogue; return what went wrong, empty when all is as written."""
    facts = {name: str(value) for name, value in rehearsal.variables.items()}
    run = FlowRun(flow, rehearsal.language or flow.languages[0], facts, rehearsal.today)
    wrong: list[str] = []
    step = run.start()
    for number, turn in enumerate(rehearsal.turns, start=1):
        if number > 1:
            if not isinstance(step.then, Listen):
                return [*wrong, f"turn {number}: the call is over already ({describe(step)[-1]})"]
            step = _act(run, turn)
        wrong += [f"turn {number}: {what}" for what in _differences(turn, step)]
    return wrong + _result_differences(rehearsal.result, run)


def describe(step: Step) -> list[str]:
    """Write a step for people: one line per thing said, then what happens."""
    lines = [f"agent: {line.text}" for line in step.say]
    match step.then:
        case Listen(node, kind):
            return [*lines, f"(listens at {node} for {kind.value})"]
        case Transfer(destination, summary=summary):
            return [*lines, f"(transfers to {destination}: {summary})"]
        case HangUp():
            return [*lines, "(hangs up)"]
        case GoOn():
            return [*lines, "(goes on in the dialplan)"]


def _act(run: FlowRun, turn: Turn) -> Step:
    if turn.keys:
        return run.press(turn.keys)
    if turn.silence:
        return run.silence()
    return run.hear(Heard(turn.caller, turn.confidence))


def _differences(turn: Turn, step: Step) -> Sequence[str]:
    said = " ".join(line.text for line in step.say)
    wrong = [f"the agent did not say '{text}', but '{said}'" for text in turn.agent if text not in said]
    happened = describe(step)[-1]
    node = step.then.node if isinstance(step.then, Listen) else ""
    if turn.node and turn.node != node:
        wrong.append(f"expected to listen at {turn.node}, but {happened}")
    if turn.transfer and not (isinstance(step.then, Transfer) and step.then.destination == turn.transfer):
        wrong.append(f"expected a transfer to {turn.transfer}, but {happened}")
    if turn.end and not isinstance(step.then, HangUp if turn.end == "hangup" else GoOn):
        wrong.append(f"expected the end ({turn.end}), but {happened}")
    return wrong


def _result_differences(expected: Expected, run: FlowRun) -> list[str]:
    got = run.result
    wrong = [
        f"result: {name} is '{getattr(got, name)}', not '{wanted}'"
        for name, wanted in (
            ("outcome", expected.outcome),
            ("intent", expected.intent),
            ("gave_up", expected.gave_up),
        )
        if wanted is not None and getattr(got, name) != wanted
    ]
    if expected.summary is not None and expected.summary not in got.summary:
        wrong.append(f"result: the summary is '{got.summary}'")
    for name, value in expected.slots.items():
        if got.slots.get(name, "") != str(value):
            wrong.append(f"result: {name} is '{got.slots.get(name, '')}', not '{value}'")
    return wrong
