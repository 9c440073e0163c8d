"""Resume points as text: what is written can be read, also by another version."""

import json
from dataclasses import replace

import pytest

from parley.conversation.errors import CannotResume
from parley.conversation.flow.run_state import RunState
from parley.conversation.record import Turn
from parley.conversation.resume_point import ResumePoint, from_json, to_json

POINT = ResumePoint(
    RunState(flow="f", fingerprint="0", language="zh", today="2026-03-02", node="ask", correctable=("day",)),
    Turn(number=3, node="ask", at_ms=9000, caller_text="星期二\udce9", agent_text="哪一天？"),
)


def test_point_is_read_as_it_was_written() -> None:
    assert from_json(to_json(POINT)) == POINT


def test_text_holds_nothing_that_a_database_refuses() -> None:
    assert to_json(POINT).isascii()


def test_fields_of_a_newer_version_are_passed_over_and_missing_ones_get_their_defaults() -> None:
    raw = json.loads(to_json(POINT))
    raw["script"] |= {"mood": "good"}
    del raw["script"]["failures"]
    assert from_json(json.dumps(raw)) == replace(POINT, script=replace(POINT.script, failures=0))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"turn": {}, "script": {}}', '{"turn": 1, "script": 2}'])
def test_unreadable_text_is_told_as_such(text: str) -> None:
    with pytest.raises(CannotResume):
        from_json(text)
