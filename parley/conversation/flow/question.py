"""A question that is being asked: what answers it, by voice and by keys.

Two kinds: `Ask` is a node's own question; `Confirm` is 'Did you say …?' about what was heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from parley.conversation.flow.phrase_book import NO, YES
from parley.conversation.flow.schema import Choice, FlowFile, Node
from parley.conversation.flow.slots import Saying, Slot
from parley.conversation.flow.step import AnswerKind, KeyPlan

PERSON_KEY = "0"
REPEAT_KEY = "*"


@dataclass(frozen=True, slots=True)
class Ask:
    """A node's question."""

    node: str
    slot_name: str = ""
    slot: Slot | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)
    correctable: tuple[str, ...] = ()
    """Other slots whose values the caller may change here."""

    @property
    def kind(self) -> AnswerKind:
        """What to listen for."""
        if self.slot is not None:
            return self.slot.kind
        return AnswerKind.YES_NO if set(self.choices) <= {YES, NO} else AnswerKind.CHOICE

    def choice_keys(self) -> dict[str, str]:
        """Return key → choice; none beside a slot, whose keys they would take."""
        return assign_keys(self.choices) if self.slot is None else {}

    def key_plan(self) -> KeyPlan:
        """Return how keys answer."""
        return self.slot.key_plan() if self.slot is not None else KeyPlan()


@dataclass(frozen=True, slots=True)
class Confirm:
    """A read-back, or 'Did you say …?'."""

    ask: Ask
    """The question to go back to."""
    slot_name: str = ""
    """The slot whose value is to be confirmed."""
    value: str = ""
    intent: str = ""
    """Or the intent."""


Question = Ask | Confirm


def ask_of(question: Question) -> Ask:
    """Return the node's question that is being asked, or that a read-back belongs to."""
    return question.ask if isinstance(question, Confirm) else question


def ask_at(name: str, node: Node, slots: Mapping[str, Slot], echoed: Sequence[str] = ()) -> Ask:
    """Return a node's question. echoed: slots whose values the agent has just repeated, to be corrected there."""
    return Ask(
        node=name,
        slot_name=node.slot or "",
        slot=slots[node.slot] if node.slot else None,
        choices=node.choices,
        correctable=tuple(dict.fromkeys(slot for slot in (*echoed, *node.correct) if slot != node.slot)),
    )


def possible_questions(flow: FlowFile, slots: Mapping[str, Slot]) -> Iterator[Question]:
    """Yield every question that a run can ask, the values that are confirmed left out."""
    echoes: list[tuple[str, ...]] = [(), *((name,) for name, spec in flow.slots.items() if spec.confirm == "echo")]
    for name, node in flow.nodes.items():
        if node.ask is None:
            continue
        for ask in (ask_at(name, node, slots, echoed) for echoed in echoes):
            yield ask
            yield Confirm(ask)
            yield from (Confirm(ask, slot_name) for slot_name in (ask.slot_name, *ask.correctable) if slot_name)


def intents_at(question: Question, everywhere: Sequence[str]) -> tuple[str, ...]:
    """Return the intents that are understood at a question, each once; on a tie between two the first is meant."""
    own = (*question.ask.choices, YES, NO) if isinstance(question, Confirm) else tuple(question.choices)
    return tuple(dict.fromkeys((*own, *everywhere)))


def assign_keys(choices: Mapping[str, Choice]) -> dict[str, str]:
    """Return key → choice: the author's keys, then 1 for yes and 2 for no, then what is free, in order."""
    keys = {choice.key: name for name, choice in choices.items() if choice.key}
    for key, name in (("1", YES), ("2", NO)):
        if name in choices and name not in keys.values() and key not in keys:
            keys[key] = name
    for name in choices:
        if name not in keys.values():
            free = next(key for key in "123456789" if key not in keys)
            keys[free] = name
    return dict(sorted(keys.items()))


def key_announcement(ask: Ask, labels: Mapping[str, str]) -> list[Saying]:
    """Return the sayings that announce the keys of a node's question."""
    sayings: list[Saying] = list(ask.slot.key_sayings()) if ask.slot is not None else []
    keys = ask.choice_keys()
    if keys.get("1") == YES and keys.get("2") == NO:
        sayings.append(Saying("yes_no_keys"))
        keys = {key: name for key, name in keys.items() if name not in (YES, NO)}
    sayings += [Saying("choice_key", {"value": labels[name], "key": key}) for key, name in keys.items()]
    if not takes_zero(ask):
        sayings.append(Saying("person_key"))
    return sayings


def takes_zero(ask: Ask) -> bool:
    """Tell whether the single key 0 is an answer rather than the wish for a person."""
    return ask.slot is not None and ask.slot.takes_zero
