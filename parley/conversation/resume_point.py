"""Where a conversation can be taken up by another process when the one that holds it has died.

The dialogue makes one for every exchange that begins; the call log commits it together with the exchange before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from parley.conversation.errors import CannotResume
from parley.conversation.flow.run_state import RunState
from parley.conversation.record import Turn

Form = TypeVar("Form", RunState, Turn)


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """A call script that waits for an answer, and the exchange that goes on."""

    script: RunState
    turn: Turn
    """As it began: what the caller did, and what the agent set out to say."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a session needs to go on with a call that another process has begun."""

    turn: Turn
    """The exchange that was going on; it is recorded as it began."""
    passed_ms: int
    """From the offer of the call until now."""


def to_json(point: ResumePoint) -> str:
    """Write a resume point as ASCII JSON."""
    return json.dumps(asdict(point), separators=(",", ":"))


def from_json(text: str) -> ResumePoint:
    """Read a resume point, also one of another version of Parley. Raises CannotResume."""
    try:
        raw = json.loads(text)
        turn = dict(raw["turn"])
        for measured in ("timings", "moments"):
            turn.pop(measured, None)
        state = dict(raw["script"])
        state["correctable"] = tuple(state.get("correctable", ()))
        return ResumePoint(_made(RunState, state), _made(Turn, turn))
    except (ValueError, TypeError, KeyError) as err:
        raise CannotResume(f"what was kept of the call cannot be read ({type(err).__name__})") from err


def _made(form: type[Form], values: Mapping[str, Any]) -> Form:
    """Make the dataclass from what it knows of the values."""
    known = {field.name for field in fields(form)}
    return form(**{name: value for name, value in values.items() if name in known})
