"""What a flow's YAML may contain, as pydantic models; `docs/flows.md` is the reference for authors.

Only the shape is checked here. What concerns several places at once (targets, variables, phrases) is in `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

NAME = r"^[a-z][a-z0-9_]{0,47}$"
Name = Annotated[str, Field(pattern=NAME)]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Part(BaseModel):
    """Anything in a flow; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


LINE_OPTIONS = ("interruptible", "as_written")
"""What stands beside the texts of a prompt's passage."""


class PromptLine(Part):
    """One passage, in every language of the flow."""

    texts: Mapping[str, str]
    """By language; the key is empty where the author gave no language: the flow's first one."""
    interruptible: bool = True
    as_written: bool = False
    """The synthesiser gets the text as it is, not written out as it is said."""


class Prompt(Part):
    """What the agent says: text, text per language, or a list of these."""

    lines: tuple[PromptLine, ...]

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, Prompt):
            return value
        lines = value if isinstance(value, list) else [value]
        if not lines:
            raise ValueError("the prompt is empty; write what the agent says")
        return {"lines": [_prompt_line(line) for line in lines]}


def _prompt_line(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        options = {key: value[key] for key in LINE_OPTIONS if key in value}
        texts = {key: text for key, text in value.items() if key not in LINE_OPTIONS}
        for option, chosen in options.items():
            if not isinstance(chosen, bool):
                raise ValueError(f"'{option}' is true or false")
    else:
        options, texts = {}, {"": value}
    texts = {language: str(text) if isinstance(text, int | float) else text for language, text in texts.items()}
    for text in texts.values():
        if not isinstance(text, str) or not text.strip():
            raise ValueError("a prompt is text, or text per language such as 'en: Hello.'; write the words to be said")
    if not texts:
        raise ValueError("a prompt line has no text; write it under its language")
    return {"texts": texts, **options}


class PromptList(Part):
    """One prompt per attempt; the last one serves all later attempts."""

    prompts: tuple[Prompt, ...]

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, PromptList):
            return value
        return {"prompts": value if isinstance(value, list) else [value]}


class Phrases(Part):
    """Phrases per language."""

    by_language: Mapping[str, tuple[str, ...]]
    """The key is empty where the author gave no language: the flow's first one."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, Phrases):
            return value
        per_language = value if isinstance(value, dict) else {"": value}
        found = {}
        for language, phrases in per_language.items():
            several = phrases if isinstance(phrases, list) else [phrases]
            if not several or not all(isinstance(phrase, str | int) and str(phrase).strip() for phrase in several):
                raise ValueError("phrases are a list of texts, or a list per language; write at least one")
            found[language] = tuple(str(phrase) for phrase in several)
        return {"by_language": found}


class Intent(Part):
    """Something a caller may want, and how callers say it."""

    phrases: Phrases | None = None
    label: Prompt | None = None
    """How the agent names it: 'For opening hours, press 1'."""
    everywhere: Name | None = None
    """The node to go to, whatever was asked."""


Confirm = Literal["never", "when_unsure", "echo", "always"]


class SlotPart(Part):
    """What all slots have in common."""

    confirm: Confirm = "when_unsure"
    read_back: Prompt | None = None
    """Asked to confirm; `{value}` or the slot's own name is the value."""
    invalid: Prompt | None = None
    """Said when a value was understood but will not do."""

    @field_validator("confirm", mode="before")
    @classmethod
    def _from_bool(cls, value: Any) -> Any:
        return {True: "always", False: "never"}[value] if isinstance(value, bool) else value


class Range(Part):
    """Two numbers: `4`, `4 to 8`."""

    lowest: int
    highest: int

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, Range | dict):
            return value
        match = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:(?:to|-)\s*([0-9]{1,6})\s*)?", str(value))
        if match is None:
            raise ValueError("write a number or a range such as '4 to 8'")
        lowest = int(match.group(1))
        highest = int(match.group(2) or lowest)
        if highest < lowest:
            raise ValueError(f"the range is upside down; write '{highest} to {lowest}'")
        return {"lowest": lowest, "highest": highest}


class YesNoSlot(SlotPart):
    """Yes or no."""

    type: Literal["yes_no"]


class DigitsSlot(SlotPart):
    """A run of digits: a membership number, an account number."""

    type: Literal["digits"]
    length: Range

    @field_validator("length")
    @classmethod
    def _is_sayable(cls, length: Range) -> Range:
        if length.lowest < 1 or length.highest > 20:
            raise ValueError("a caller can give 1 to 20 digits; choose a length within that")
        return length


class NumberSlot(SlotPart):
    """A quantity."""

    type: Literal["number"]
    range: Range = Range(lowest=0, highest=999_999)


class ChoiceOption(Part):
    """One value of a choice slot."""

    phrases: Phrases
    label: Prompt | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, dict) and not ({"phrases", "label"} & set(value)):
            return {"phrases": value}
        return {"phrases": value} if isinstance(value, str | list) else value


class ChoiceSlot(SlotPart):
    """One of a few values."""

    type: Literal["choice"]
    options: dict[Name, ChoiceOption] = Field(min_length=2, max_length=9)


class DaySlot(SlotPart):
    """A day, stored as an ISO date."""

    type: Literal["day"]
    earliest: int = Field(default=0, ge=0, le=365)
    """Days from today."""
    latest: int = Field(default=364, ge=0, le=364)
    """Days from today."""
    open: tuple[str, ...] = WEEKDAYS

    @field_validator("open", mode="before")
    @classmethod
    def _weekdays(cls, value: Any) -> Any:
        names = value if isinstance(value, list) else [value]
        days: list[str] = []
        for name in names:
            first, _, last = str(name).lower().partition(" to ")
            if first not in WEEKDAYS or (last and last not in WEEKDAYS):
                raise ValueError(
                    f"'{name}' is not a weekday; write for instance 'monday to friday' or [monday, friday]"
                )
            start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
            days += [WEEKDAYS[(start + step) % 7] for step in range((end - start) % 7 + 1)]
        return tuple(days)


class FreeSlot(SlotPart):
    """Anything, in the caller's own words. Needs an open-vocabulary recogniser; other engines go by keys."""

    type: Literal["free"]
    confirm: Confirm = "never"


Slot = Annotated[
    YesNoSlot | DigitsSlot | NumberSlot | ChoiceSlot | DaySlot | FreeSlot,
    Field(discriminator="type"),
]


class Branch(Part):
    """One way to go on."""

    when: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Slot or variable → values of which one must be met; an empty value means: not known."""
    unless: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    to: Name

    @field_validator("when", "unless", mode="before")
    @classmethod
    def _values(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("write the slot and its value, for instance {vip: yes}")
        return {name: tuple(_as_text(each) for each in _as_list(wanted)) for name, wanted in value.items()}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Way(Part):
    """Where to go: a node's name, `back`, or a list of branches of which the last has no condition."""

    branches: tuple[Branch, ...]

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, Way):
            return value
        if isinstance(value, str):
            return {"branches": [{"to": value}]}
        if not isinstance(value, list) or not value:
            raise ValueError("write a node's name, or a list of {when: …, to: node}")
        return {"branches": value}


class Choice(Part):
    """One answer to a question."""

    go: Way
    key: str = ""
    """Its key, 1 to 9; by default choices are numbered in their order."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        return {"go": value} if isinstance(value, str | list) else value

    @field_validator("key", mode="before")
    @classmethod
    def _is_key(cls, value: Any) -> str:
        if not re.fullmatch(r"[1-9]", str(value)):
            raise ValueError("a choice's key is 1 to 9 (0 is always a person, * always repeats)")
        return str(value)


class TransferTo(Part):
    """Whom to hand the caller to."""

    queue: str = ""
    number: str = ""
    summary: Prompt | None = None
    """For the queue agent's ear; by default the flow's."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        return {"queue": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_destination(self) -> TransferTo:
        if bool(self.queue) == bool(self.number):
            raise ValueError("a transfer goes to one place; write either 'queue: NAME' or 'number: DIGITS'")
        if self.number and not re.fullmatch(r"\+?[0-9]{1,20}|\{[a-z0-9_]+\}", self.number):
            raise ValueError("a number is digits with an optional +, or {variable}; remove spaces and dashes")
        return self


class Node(Part):
    """One step of the script."""

    say: Prompt | None = None
    ask: Prompt | None = None
    slot: Name | None = None
    choices: dict[Name, Choice] = Field(default_factory=dict, max_length=9)
    correct: tuple[Name, ...] = ()
    """Earlier slots that the caller may still change here."""
    no_input: PromptList | None = None
    no_match: PromptList | None = None
    help: Prompt | None = None
    keys: Prompt | None = None
    """Announces the keys, instead of what is derived."""
    announce_keys: bool = False
    """Announce the keys with the question, not only after failures."""
    tries: int | None = Field(default=None, ge=1, le=9)
    give_up: Name | None = None
    wait: float | None = Field(default=None, ge=1, le=60)
    """Seconds of silence before the caller is asked again."""
    set: dict[Name, str] = Field(default_factory=dict)
    intent: str = ""
    outcome: str = ""
    go: Way | None = None
    transfer: TransferTo | None = None
    end: Literal["hangup", "dialplan"] | None = None

    @field_validator("set", mode="before")
    @classmethod
    def _values(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("write names and values, for instance {urgent: yes}")
        return {name: _as_text(each) for name, each in value.items()}


class Confidence(Part):
    """How sure the recogniser must be, 0 to 1."""

    reject: float = Field(default=0.3, ge=0, le=1)
    """Below: not understood."""
    accept: float = Field(default=0.6, ge=0, le=1)
    """Below: the caller is asked 'Did you say …?'."""

    @model_validator(mode="after")
    def _in_order(self) -> Confidence:
        if self.reject > self.accept:
            raise ValueError("'reject' is above 'accept'; lower it")
        return self


class FlowFile(Part):
    """A whole flow."""

    flow: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]
    about: str = ""
    languages: tuple[str, ...] = ("en",)
    """The first is the default."""
    fallback: str = Field(min_length=1)
    """The queue for callers whom the flow cannot serve."""
    start: Name
    tries: int = Field(default=3, ge=1, le=9)
    wait: float = Field(default=6, ge=1, le=60)
    confidence: Confidence = Confidence()
    variables: dict[Name, str] = Field(default_factory=dict)
    """What the dialplan may pass, with the value to use when it does not."""
    synonyms: dict[Name, Phrases] = Field(default_factory=dict)
    intents: dict[Name, Intent] = Field(default_factory=dict)
    slots: dict[Name, Slot] = Field(default_factory=dict)
    sayings: dict[Name, Prompt] = Field(default_factory=dict)
    summary: Prompt | None = None
    nodes: dict[Name, Node] = Field(min_length=1)

    @field_validator("languages", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("languages")
    @classmethod
    def _at_least_one(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        if not languages or len(set(languages)) != len(languages):
            raise ValueError("name each language once, for instance [en, zh]")
        return languages

    @field_validator("variables", mode="before")
    @classmethod
    def _defaults(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("write names and default values, for instance {clinic: Riverside}")
        return {name: _as_text(default) for name, default in value.items()}
