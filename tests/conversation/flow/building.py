"""Small flows for tests, and a short way to walk through them."""

from __future__ import annotations

from datetime import date
from typing import Any

import yaml

from parley.conversation.flow.flow import Flow
from parley.conversation.flow.loader import load_flow_text
from parley.conversation.flow.run import FlowRun
from parley.conversation.flow.source import read_source
from parley.conversation.flow.step import Heard, Listen, Step, Transfer

MONDAY = date(2026, 3, 2)

SMALL = """
flow: small
languages: [en]
start: ask_day
fallback: reception
slots:
  day: {type: day}
nodes:
  ask_day:
    ask: Which day?
    slot: day
    go: done
  done:
    say: See you on {day}.
    outcome: booked
    end: hangup
"""


def merged(base: str, change: str, levels: int = 9) -> str:
    """Return the YAML of `base` with the mappings of `change` laid over it, so many levels deep."""
    below, above = read_source(base), read_source(change)
    assert not below.problems, below.problems
    assert not above.problems, above.problems
    return str(yaml.safe_dump(_merge(below.value, above.value, levels), sort_keys=False, allow_unicode=True))


def _merge(below: Any, above: Any, levels: int) -> Any:
    if levels and isinstance(below, dict) and isinstance(above, dict):
        return below | {key: _merge(below.get(key), value, levels - 1) for key, value in above.items()}
    return above


def small_flow(change: str = "") -> Flow:
    return load_flow_text(merged(SMALL, change) if change else SMALL)


class Walk:
    """A run with its latest step, inputs as one-liners."""

    def __init__(self, flow: Flow, language: str = "en", facts: dict[str, str] | None = None) -> None:
        self.run = FlowRun(flow, language, facts or {}, MONDAY)
        self.step: Step = self.run.start()

    def hear(self, text: str, confidence: float = 1.0, rejected: bool = False) -> str:
        self.step = self.run.hear(Heard(text, confidence, rejected))
        return self.said

    def press(self, digits: str) -> str:
        self.step = self.run.press(digits)
        return self.said

    def silence(self) -> str:
        self.step = self.run.silence()
        return self.said

    @property
    def said(self) -> str:
        return " ".join(line.text for line in self.step.say)

    @property
    def listen(self) -> Listen:
        assert isinstance(self.step.then, Listen), self.step.then
        return self.step.then

    @property
    def transfer(self) -> Transfer:
        assert isinstance(self.step.then, Transfer), self.step.then
        return self.step.then
