"""What is recorded of a call: start, turns with their timings, notes, end.

The conversation makes these, the store keeps them, the CLI shows them. Plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EndReason(StrEnum):
    """Why a call session ended."""

    COMPLETED = "completed"
    """The flow came to its end and hung up or went on in the dialplan."""
    TRANSFERRED = "transferred"
    """Handed to a queue or a number."""
    CALLER_HUNG_UP = "caller_hung_up"
    TAKEN_AWAY = "taken_away"
    """The PBX moved the caller elsewhere in the middle of the conversation: an operator's redirect, a timer."""
    LEFT_ON_HOLD = "left_on_hold"
    """The caller put the agent on hold and did not come back in time."""
    NOT_UNDERSTOOD = "not_understood"
    """Retries used up; the flow's fallback was taken."""
    ENGINE_FAILED = "engine_failed"
    PBX_LOST = "pbx_lost"
    DRAINED = "drained"
    """Parley was told to stop before the call was over."""
    REFUSED = "refused"
    """Not served: unknown agent, overload, malformed arguments."""
    FAILED = "failed"
    """A fault of ours."""


@dataclass(frozen=True, slots=True)
class CallStart:
    """An offered call."""

    call_id: str
    leg_id: str
    agent: str
    flow: str
    language: str
    direction: str
    ani: str
    dnis: str
    started_at: float
    """Seconds since the epoch, UTC."""
    node: str = ""
    """The Parley node that serves it."""


@dataclass(frozen=True, slots=True)
class TurnTimings:
    """The stages from the caller's last speech sample to the agent's first; None where a stage did not occur.

    All from audio positions on the session clock, in ms. The stages add up to `response_ms`. A keyed turn counts
    from its last key, the greeting from the answer; a turn after silence has no response time. Fillers do not count.
    """

    endpoint_ms: int | None = None
    """Last speech sample → the decision that the turn is over."""
    asr_ms: int | None = None
    """Decision → final transcript."""
    llm_ms: int | None = None
    """Final transcript → first token of the reply."""
    tts_ms: int | None = None
    """Reply known → first sample of its speech ready."""
    playout_ms: int | None = None
    """First sample ready → first sample handed to the PBX."""
    response_ms: int | None = None
    """Last speech sample → first agent sample handed to the PBX."""
    barge_in_ms: int | None = None
    """Caller's first speech sample → agent's audio cleared, when the caller interrupted."""


@dataclass(frozen=True, slots=True)
class TurnMoments:
    """When the stages of a turn's response were reached; None where one was not.

    All in ms on the call's clock, as `Turn.at_ms` is. Work that began before its turn came (speech that was ready
    before the answer, a reply begun on a likely end of turn) stands where it happened: moments may overlap, where
    `TurnTimings` shares the response out.
    """

    last_speech_at_ms: int | None = None
    """One past the caller's last speech sample; a keyed turn's last key; for the greeting, the answer."""
    endpoint_at_ms: int | None = None
    """The decision that the turn is over."""
    final_at_ms: int | None = None
    """The final transcript."""
    first_token_at_ms: int | None = None
    """The first token of a language model's reply."""
    speech_ready_at_ms: int | None = None
    """The first sample of the reply's speech."""
    first_sound_at_ms: int | None = None
    """The first sample handed to the PBX."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange: what the caller did, and what the agent said in return."""

    number: int
    """From 0; turn 0 is the greeting, with no caller part."""
    node: str
    """Flow node that was waiting when the caller spoke (for turn 0: the first node)."""
    at_ms: int
    """Start of the turn on the session clock."""
    caller_text: str = ""
    caller_keys: str = ""
    confidence: float = 0.0
    rejected: bool = False
    interrupted_agent: bool = False
    """The caller spoke over the agent's previous words."""
    agent_text: str = ""
    """What the agent set out to say."""
    agent_heard: str = ""
    """What of it the caller heard: the history holds this."""
    timings: TurnTimings = field(default_factory=TurnTimings)
    moments: TurnMoments = field(default_factory=TurnMoments)


PARTY_REPLACED = "party_replaced"
"""Kind of the note about another party in the caller's place; its detail `leg_id` is that party's leg."""


@dataclass(frozen=True, slots=True)
class CallNote:
    """Something that happened besides turns."""

    kind: str
    """Stable name: `silence`, `engine_failed`, `resumed`, …"""
    at_ms: int
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How the call ended."""

    ended_at: float
    """Seconds since the epoch, UTC."""
    reason: EndReason
    outcome: str = ""
    """What the business got, in the flow's own word."""
    intent: str = ""
    summary: str = ""
    transferred_to: str = ""
    hangup_cause: int = 0
    """Q.850 value."""
    slots: Mapping[str, str] = field(default_factory=dict)
    recording: str = ""
    """Paths of the stereo WAVs, one a line (a call that was resumed has several); empty when not recorded."""
