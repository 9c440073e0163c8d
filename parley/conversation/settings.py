"""How patient, how quick and how forgiving a dialogue is; who listens and speaks for it.

`app` makes these from parley.toml; every value has a default that works on the phone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from parley.conversation.flow.step import AnswerKind, Line
from parley.conversation.ports import Recognizer, Synthesizer, VoiceDetector

PATIENCE_MS: Mapping[AnswerKind, int] = {
    AnswerKind.YES_NO: 450,
    AnswerKind.CHOICE: 450,
    AnswerKind.DAY: 600,
    AnswerKind.NUMBER: 600,
    AnswerKind.DIGITS: 900,
    AnswerKind.FREE: 1000,
}
"""Silence after which an answer of each kind is over. Digits are read out in groups, with pauses between."""


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """When the caller's turn is over."""

    patience_ms: Mapping[AnswerKind, int] = field(default_factory=lambda: PATIENCE_MS)
    min_speech_ms: int = 120
    """Sounds shorter than this, with silence around them, are noise."""


@dataclass(frozen=True, slots=True)
class BargeInSettings:
    """When the caller's voice over the agent's counts."""

    min_speech_ms: int = 160
    tail_ms: int = 40
    """How much of the newest audio shows whether the voice goes on: the voice detector's hangover hides it."""
    max_drop_db: float = 25.0
    """A tail quieter than the onset by more than this is silence after a short sound; stop consonants drop less."""
    confirm_ms: int = 40
    """How long after `min_speech_ms` a voice detector's verdict is waited for; without one in time energy decides."""
    backchannel_ms: int = 700
    """An interruption no longer than this that means nothing ("uh-huh", a cough) lets the agent go on."""


@dataclass(frozen=True, slots=True)
class DialogueSettings:
    """Everything a dialogue can be tuned by."""

    endpoint: EndpointSettings = EndpointSettings()
    barge_in: BargeInSettings = BargeInSettings()
    pre_roll_ms: int = 300
    """Audio before the detected start of speech that the recogniser gets too (weak first consonants)."""
    filler_after_ms: int = 1400
    """Silence after the caller's last word before a filler is said."""
    filler_retry_ms: int = 100
    """A filler that is due but not made yet is asked for again after this."""
    final_deadline_ms: int = 5000
    """Endpoint decision → final transcript; later counts as an engine failure."""
    speech_deadline_ms: int = 4000
    """Sentence asked for → its next piece of audio; later counts as an engine failure."""
    max_engine_failures: int = 3
    """Recognition failures without an answer between them after which the call is given up. After a first one that
    may pass the agent asks again; after a second the keys are announced with every question."""
    tail_ms: int = 240
    """After the last word was handed to the PBX, before the call is transferred or ended: it is still on its way."""
    max_hold_ms: int = 300_000
    """How long the caller may have the agent on hold before the call goes to the fallback queue."""
    record_wait_ms: int = 500
    """After the conversation, before the call is transferred or ended: for the record to be committed."""
    record_deadline_ms: int = 10_000
    """Call ended → its record committed; later facts are lost."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Who listens and speaks for one call, and in which language."""

    recognizer: Recognizer
    synthesizer: Synthesizer
    language: str = "en"
    voice_detector: VoiceDetector | None = None
    """Tells the caller's voice over the agent's from other sounds; None: their energy decides alone."""
    fallback_synthesizer: Synthesizer | None = None
    """Takes over for the rest of the call when `synthesizer` fails."""
    voice: str = ""
    recognizer_engine: str = ""
    synthesizer_engine: str = ""
    fillers: tuple[Line, ...] = ()
    """Said in turn while an answer takes long; prepared when the call starts."""
