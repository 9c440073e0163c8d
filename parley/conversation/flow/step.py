"""What a flow asks for and what it is told: the seam between a call script and whoever performs it.

`FlowRun` (pure, no I/O) returns a Step for every input; the dialogue performs it on a call, `parley chat` in a
terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from parley.call_control import HangupCause


@dataclass(frozen=True, slots=True)
class Line:
    """One thing the agent says."""

    text: str
    """The words, variables filled in: for synthesis, transcript and history."""
    recording: str = ""
    """Path of a recorded prompt to be played instead of synthesis; empty when there is none."""
    interruptible: bool = True
    as_written: bool = False
    """The synthesiser gets the text as it is, not written out as it is said."""


class AnswerKind(Enum):
    """What the flow expects next; decides how patient endpointing is."""

    YES_NO = "yes_no"
    CHOICE = "choice"
    """Also intents: one of a few phrases."""
    DAY = "day"
    NUMBER = "number"
    DIGITS = "digits"
    FREE = "free"
    """Open speech: pauses are longer."""


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """How keys answer this question."""

    min_digits: int = 1
    max_digits: int = 1
    terminator: str = "#"
    """Ends the entry early; empty when there is none."""
    inter_digit_ms: int = 3000


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait for the caller's answer."""

    node: str
    kind: AnswerKind
    grammar: str = ""
    """JSGF of every expected answer (correction and global phrases included); empty: open vocabulary."""
    keys: KeyPlan | None = None
    """None: keys are ignored here."""
    no_input_ms: int = 6000
    """Silence after the prompt before `silence()` is told."""
    max_speech_ms: int = 15000


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller over; the run is over."""

    destination: str
    """A queue's name, or a number when `is_number`."""
    is_number: bool = False
    summary: str = ""
    """A sentence or two for the queue agent's ear."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call after what is to be said; the run is over."""

    cause: HangupCause = HangupCause.NORMAL_CLEARING


@dataclass(frozen=True, slots=True)
class GoOn:
    """Leave for the dialplan after what is to be said; the run is over."""


Next = Listen | Transfer | HangUp | GoOn


@dataclass(frozen=True, slots=True)
class Step:
    """Say these lines, then do this."""

    say: tuple[Line, ...]
    then: Next


@dataclass(frozen=True, slots=True)
class Heard:
    """What the recogniser made of the caller's speech."""

    text: str
    confidence: float = 1.0
    rejected: bool = False
    """The engine found it to be unlike anything expected: counts as not understood."""


@dataclass(frozen=True, slots=True)
class FlowResult:
    """What the run has gathered so far; complete once a Step ends it."""

    outcome: str = ""
    intent: str = ""
    summary: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)
    gave_up: bool = False
    """The fallback was taken because retries were used up."""
