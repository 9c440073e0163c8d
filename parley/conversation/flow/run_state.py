"""What is kept of a run between two answers, so that another process can go on asking: plain values only.

`FlowRun.state` gives it, `FlowRun.restored` takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from parley.conversation.errors import CannotResume
from parley.conversation.flow.edition import Edition
from parley.conversation.flow.flow import Flow
from parley.conversation.flow.question import Ask, Confirm, Question, ask_at


@dataclass(frozen=True, slots=True)
class RunState:
    """One run, waiting for an answer."""

    flow: str
    fingerprint: str
    """Of the flow's text: a flow that was changed meanwhile is taken up with less trust."""
    language: str
    today: str
    """The caller's day when the call began, ISO 8601."""
    node: str
    """The node whose question waits."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What was known of the call when it began, the dialplan's variables among it."""
    written: Mapping[str, str] = field(default_factory=dict)
    """Variables that the flow has set."""
    slots: Mapping[str, str] = field(default_factory=dict)
    volunteered: Mapping[str, str] = field(default_factory=dict)
    """Values that the caller gave before they were asked for."""
    correctable: tuple[str, ...] = ()
    confirming: bool = False
    """The question is 'Did you say …?' about one of the next two."""
    confirmed_slot: str = ""
    confirmed_value: str = ""
    confirmed_intent: str = ""
    failures: int = 0
    denials: int = 0
    inputs: int = 0
    keys_only: bool = False
    gave_up: bool = False
    reason: str = ""
    outcome: str = ""
    intent: str = ""


def question_of(state: RunState, flow: Flow, edition: Edition) -> Question:
    """Return the question that waits. In a changed flow it is the node's own, with no read-back of an answer.

    Raises CannotResume when the flow has no such question any more.
    """
    node = flow.spec.nodes.get(state.node)
    if node is None or node.ask is None:
        raise CannotResume(f"flow {flow.name} has no question '{state.node}' any more")
    if state.fingerprint != flow.fingerprint:
        return ask_at(state.node, node, edition.slots)
    ask = ask_at(state.node, node, edition.slots, state.correctable)
    if not state.confirming:
        return ask
    return Confirm(ask, state.confirmed_slot, state.confirmed_value, state.confirmed_intent)


def described(question: Question) -> tuple[Ask, Confirm | None]:
    """Return the node's own question, and the read-back that goes with it, if any."""
    return (question.ask, question) if isinstance(question, Confirm) else (question, None)
