"""What happened in the demo's call, as the phones saw it: moments and recordings for the judge."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.recording import Recording


@dataclass(frozen=True, slots=True)
class CallerTurn:
    """One thing the caller did, and when the agent began to answer, all from the caller's phone (monotonic s)."""

    did: str
    from_s: float
    """First sample of the caller's speech; for keys, their first moment."""
    to_s: float
    """Last sample of the caller's speech; for keys, the release of the last one."""
    answered_s: float
    """First sample of the agent's answer."""
    interrupts: bool = False

    @property
    def response_ms(self) -> int:
        """Caller's last sample → agent's first, at the caller's phone."""
        return round((self.answered_s - self.to_s) * 1000)


@dataclass(slots=True)
class Handover:
    """The queue agent's side, as the queue agent's phone saw it (monotonic s)."""

    rang_s: float = 0.0
    answered_s: float = 0.0
    whisper_ended_s: float = 0.0
    agent_spoke: tuple[float, float] = (0.0, 0.0)
    """When the queue agent's greeting was said: from, to."""
    agent_words: bytes = b""
    caller_words: bytes = b""
    """What caller and queue agent said to each other, 8 kHz PCM."""
    heard: Recording = field(default_factory=Recording)


@dataclass(slots=True)
class Performance:
    """The whole call."""

    dialled_s: float
    answered_s: float
    greeting_s: float = 0.0
    """First sample of the greeting at the caller's phone."""
    turns: list[CallerTurn] = field(default_factory=list)
    interrupted_silence_s: float = 0.0
    """When the agent fell silent after the interruption."""
    handover: Handover = field(default_factory=Handover)
    heard: Recording = field(default_factory=Recording)
    """What the caller heard."""
    said: Recording = field(default_factory=Recording)
