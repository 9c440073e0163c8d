"""Begin the record of a turn from what the caller did; the history completes it with what the agent said."""

from __future__ import annotations

from dataclasses import dataclass, replace

from parley.conversation.caller_turn import CallerTurn
from parley.conversation.keypad import KeyEntry
from parley.conversation.record import Turn
from parley.conversation.timings import TurnTimeline, ms_of


@dataclass(frozen=True, slots=True)
class Interruption:
    """The caller stopped the agent."""

    since: int
    """Position of the caller's first speech sample, or key."""
    cleared_at: int
    """Position at which the agent's audio was cleared."""


@dataclass(frozen=True, slots=True)
class BegunTurn:
    """A turn whose agent part is still to come."""

    turn: Turn
    timeline: TurnTimeline


def greeting(rate_hz: int) -> BegunTurn:
    """Begin turn 0; its timeline begins with the answer."""
    return BegunTurn(Turn(number=0, node="", at_ms=0), TurnTimeline(rate_hz))


def interrupted_turn(turn: Turn, passed_ms: int, rate_hz: int) -> BegunTurn:
    """Return a turn that another process has begun, `passed_ms` before the session clock's zero counted."""
    return BegunTurn(replace(turn, at_ms=turn.at_ms - passed_ms), TurnTimeline(rate_hz))


def spoken_turn(spoken: CallerTurn, node: str, interruption: Interruption | None, now: int, rate_hz: int) -> BegunTurn:
    """Begin a turn with a complete spoken answer. now: position at which its last final transcript came."""
    heard = spoken.heard
    timeline = _timeline(spoken.last_speech, interruption, rate_hz)
    timeline.decided, timeline.final = spoken.decided_at, now
    turn = Turn(
        number=0,
        node=node,
        at_ms=ms_of(spoken.first_speech, rate_hz),
        caller_text=heard.text,
        confidence=heard.confidence,
        rejected=heard.rejected,
        interrupted_agent=interruption is not None,
    )
    return BegunTurn(turn, timeline)


def keyed_turn(keys: KeyEntry, node: str, interruption: Interruption | None, now: int, rate_hz: int) -> BegunTurn:
    """Begin a turn with a complete key entry. now: position at which it was acted upon."""
    timeline = _timeline(keys.last_key, interruption, rate_hz)
    timeline.decided = now
    turn = Turn(
        number=0,
        node=node,
        at_ms=ms_of(keys.first_key or 0, rate_hz),
        caller_keys=keys.digits,
        confidence=1.0,
        interrupted_agent=interruption is not None,
    )
    return BegunTurn(turn, timeline)


def silent_turn(node: str, now: int, rate_hz: int) -> BegunTurn:
    """Begin a turn in which the caller did nothing."""
    return BegunTurn(Turn(number=0, node=node, at_ms=ms_of(now, rate_hz)), TurnTimeline(rate_hz))


def _timeline(began: int | None, interruption: Interruption | None, rate_hz: int) -> TurnTimeline:
    timeline = TurnTimeline(rate_hz, began=began)
    if interruption is not None:
        timeline.interrupting, timeline.cleared = interruption.since, interruption.cleared_at
    return timeline
