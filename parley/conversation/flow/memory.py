"""What a run knows: slots, variables, facts of the call; and how each is said in a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from parley.conversation.flow.edition import Edition
from parley.conversation.flow.languages.base import is_digits
from parley.conversation.flow.prompts import fill
from parley.conversation.flow.slots import Context, Saying
from parley.conversation.flow.step import Line
from parley.conversation.flow.template import Variable, parse_template

CALL_FACTS = ("call_id", "ani", "dnis")
"""Facts that every call has; a flow uses them like variables."""
CALLERS_FACTS = ("ani", "dnis")
"""Those that callers choose: what they send as their number, and what they dial."""
REASON = "reason"
"""Why the caller is handed over, in the words of the sayings `reason_…`."""


class Memory:
    """The values of one run."""

    def __init__(self, edition: Edition, facts: Mapping[str, str], context: Context) -> None:
        """facts: variables of the call; those that the flow does not declare are not seen by it."""
        self._edition = edition
        self._context = context
        declared = edition.flow.variables
        self._variables = {name: facts.get(name) or default for name, default in declared.items()}
        self._facts = {name: facts.get(name, "") for name in CALL_FACTS}
        self.facts = dict(facts)
        """As they were given."""
        self._written: set[str] = set()
        self.slots: dict[str, str] = {}
        self.reason = ""
        """Name of a saying, or empty."""

    def forget_slots(self) -> None:
        """Start over: slots are empty again, variables stay."""
        self.slots.clear()

    def write(self, name: str, text: str) -> None:
        """Set a variable or a slot; empty text, or one that is no value of the slot, forgets it."""
        if name not in self._edition.slots:
            self._variables[name] = text
            self._written.add(name)
        elif text and self._edition.slots[name].holds(text):
            self.slots[name] = text
        else:
            self.slots.pop(name, None)

    def value(self, name: str) -> str:
        """Return a value as it is stored; empty when it is not known."""
        if name in self._edition.slots:
            return self.slots.get(name, "")
        if name == "today":
            return self._context.today.isoformat()
        return self._variables.get(name) or self._facts.get(name, "")

    @property
    def written(self) -> dict[str, str]:
        """The variables that the flow has set."""
        return {name: self._variables[name] for name in sorted(self._written)}

    def restore(self, written: Mapping[str, str], slots: Mapping[str, str], reason: str) -> None:
        """Take over what another run has gathered; what the flow does not know (any more) is left out."""
        for name, text in written.items():
            if name not in self._edition.slots:
                self.write(name, text)
        for name, text in slots.items():
            if name in self._edition.slots:
                self.write(name, text)
        self.reason = reason if f"sayings.{reason}" in self._edition.passages else ""

    def gathered(self) -> dict[str, str]:
        """Return slots and the variables that the flow has set."""
        return self.slots | self.written

    def lines(self, key: str, extra: Mapping[str, str] | None = None) -> list[Line]:
        """Return a prompt's lines. extra: values that hold for this prompt only, ready to be spoken."""
        return fill(self._edition.passages[key], lambda variable: self._say(variable, extra or {}))

    def saying(self, saying: Saying | str) -> list[Line]:
        """Return a saying's lines."""
        if isinstance(saying, str):
            return self.lines(f"sayings.{saying}")
        return self.lines(f"sayings.{saying.name}", saying.values)

    def read_back(self, slot_name: str, value: str) -> list[Line]:
        """Return the question whether a value is right."""
        spoken = self._edition.slots[slot_name].say(value, self._context)
        key = f"slots.{slot_name}.read_back"
        if key not in self._edition.passages:
            key = "sayings.read_back"
        kept, self.slots = self.slots, {**self.slots, slot_name: value}
        try:
            return self.lines(key, {"value": spoken})
        finally:
            self.slots = kept

    def summary(self, node: str) -> str:
        """Return the summary that holds at a node; sentences that lack a value are left out."""
        passage = self._edition.summaries.get(f"nodes.{node}.transfer.summary") or self._edition.summaries.get(
            "summary", ()
        )
        joiner = "" if self._edition.language.code == "zh" else " "
        return joiner.join(line.text for line in fill(passage, lambda variable: self._say(variable, {})))

    def expand(self, text: str) -> str:
        """Fill a destination or a value to be stored: variables as they are stored, nothing for unknown ones."""
        pieces = parse_template(text).pieces
        return "".join(piece if isinstance(piece, str) else self.value(piece.name) for piece in pieces)

    def _say(self, variable: Variable, extra: Mapping[str, str]) -> str:
        if variable.name in extra and not variable.form:
            return extra[variable.name]
        if variable.name == REASON:
            return " ".join(line.text for line in self.saying(self.reason)) if self.reason else ""
        value = self.value(variable.name)
        if not value:
            return ""
        slot = self._edition.slots.get(variable.name)
        if not variable.form:
            return slot.say(value, self._context) if slot is not None else value
        return self._say_as(variable.form, value)

    def _say_as(self, form: str, value: str) -> str:
        language = self._edition.language
        if form == "digits":
            return language.say_digits("".join(character for character in value if is_digits(character)))
        if form == "number" and is_digits(value) and len(value) <= 6:
            return language.say_number(int(value))
        if form in ("day", "date"):
            try:
                day = date.fromisoformat(value)
            except ValueError:
                return value
            return language.say_date(day) if form == "date" else language.say_day(day, self._context.today)
        return value
