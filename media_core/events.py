"""What a call's audio connection reports: blocks of the caller's voice and events with their positions.

Made by audio_fork, read by the conversation through `parley.conversation.ports`. Pure Python, so that it can be
imported where the compiled modules are not built.

Positions are samples on the call's session clock: 0 when its media started, advancing with real time at the
connection's rate, the same clock for both directions.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """60–100 ms of the caller's audio."""

    position: int
    """Position of the first sample."""
    pcm: bytes
    """int16 little-endian mono at the connection's rate."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller's voice began."""

    position: int
    """First speech sample (earlier than the moment of detection)."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The caller's voice paused or ended."""

    position: int
    """One past the last speech sample (earlier than the moment of detection)."""


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first sample of something played after silence went to the PBX."""

    position: int


@dataclass(frozen=True, slots=True)
class MarkReached:
    """Everything played up to this mark went to the PBX. Marks dropped by `clear()` are never reported."""

    mark: int
    position: int


@dataclass(frozen=True, slots=True)
class AlarmReached:
    """The session clock passed a position asked for with `set_alarm()`."""

    position: int


@dataclass(frozen=True, slots=True)
class DigitHeard:
    """A key that came inside the media (transports whose PBX does not report keys by events)."""

    digit: str
    position: int


@dataclass(frozen=True, slots=True)
class PeerGone:
    """The PBX closed the connection, or no packet came for the configured time."""

    reason: str


AudioEvent = SpeechStarted | SpeechStopped | PlayoutStarted | MarkReached | AlarmReached | DigitHeard | PeerGone
