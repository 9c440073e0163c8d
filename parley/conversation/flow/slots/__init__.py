"""Slots: what a caller's answer is turned into. One module per type, one Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parley.conversation.flow import schema
from parley.conversation.flow.languages import Language
from parley.conversation.flow.phrases import Pattern
from parley.conversation.flow.slots.base import Context, Saying, Slot
from parley.conversation.flow.slots.choice import ChoiceSlot
from parley.conversation.flow.slots.day import DaySlot
from parley.conversation.flow.slots.digits import DigitsSlot
from parley.conversation.flow.slots.free import FreeSlot
from parley.conversation.flow.slots.number import NumberSlot
from parley.conversation.flow.slots.yes_no import YesNoSlot

__all__ = ["ChoiceSlot", "Context", "Saying", "Slot", "make_slot"]


def make_slot(
    spec: schema.Slot,
    language: Language,
    patterns: Mapping[str, Sequence[Pattern]],
    labels: Mapping[str, str],
) -> Slot:
    """Make a slot in one language.

    patterns, labels: phrases and spoken names of the values, for yes_no and choice slots.
    """
    match spec:
        case schema.YesNoSlot():
            return YesNoSlot(language, patterns)
        case schema.DigitsSlot():
            return DigitsSlot(language, spec.length.lowest, spec.length.highest)
        case schema.NumberSlot():
            return NumberSlot(language, spec.range.lowest, spec.range.highest)
        case schema.ChoiceSlot():
            return ChoiceSlot(language, patterns, labels)
        case schema.DaySlot():
            return DaySlot(language, spec.earliest, spec.latest, spec.open)
        case schema.FreeSlot():
            return FreeSlot(language)
