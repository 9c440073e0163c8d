"""What the archive gives back: one line per call, or everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from parley.conversation.record import CallEnd, CallNote, CallStart, Turn, TurnTimings
from parley.conversation.resume_point import ResumePoint


@dataclass(frozen=True, slots=True)
class CallOverview:
    """One call in a list."""

    start: CallStart
    answered_ms: int | None
    """After it was offered; None when it was not answered."""
    end: CallEnd | None
    """None while the call goes on."""
    turn_count: int


@dataclass(frozen=True, slots=True)
class CallRecord:
    """Everything recorded of one visit of a call."""

    start: CallStart
    answered_ms: int | None
    """After it was offered; None when it was not answered."""
    end: CallEnd | None
    """None while the call goes on."""
    turns: tuple[Turn, ...]
    """In order of their numbers."""
    notes: tuple[CallNote, ...]
    """In the order in which they were recorded."""


@dataclass(frozen=True, slots=True)
class TurnLatency:
    """How long one turn's response took."""

    number: int
    """0 is the greeting, which counts from the answer."""
    timings: TurnTimings


@dataclass(frozen=True, slots=True)
class InterruptedCall:
    """A call whose record is open although no process of its node can have it any more."""

    start: CallStart
    point: ResumePoint | None
    """Where it can be taken up; None where it cannot."""
    resumed: int
    """How often it was taken up before."""
