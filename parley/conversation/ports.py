"""What a conversation needs from the world: audio, engines, a record, a clock.

Consumers own their ports: audio_fork and inference satisfy these structurally, `app` type-checks the match,
`tests/fakes/` has one fake for each.

Positions are samples on the call's session clock: 0 when its media started, advancing with real time at
`rate_hz`, the same clock for both directions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from media_core.events import (
    AlarmReached,
    AudioBlock,
    AudioEvent,
    DigitHeard,
    MarkReached,
    PeerGone,
    PlayoutStarted,
    SpeechStarted,
    SpeechStopped,
)
from parley.conversation.record import CallEnd, CallNote, CallStart, Turn

if TYPE_CHECKING:  # the flow package imports these ports: only the words of its seam are needed here
    from parley.conversation.flow.run_state import RunState
    from parley.conversation.flow.step import FlowResult, Heard, Step
    from parley.conversation.resume_point import ResumePoint

__all__ = [
    "AlarmReached",
    "AudioBlock",
    "AudioEvent",
    "CallAudio",
    "CallFacts",
    "CallLog",
    "ChatMessage",
    "ChatModel",
    "ChatRequest",
    "ChatUsage",
    "Clock",
    "DigitHeard",
    "Hypothesis",
    "MarkReached",
    "PeerGone",
    "PlayoutStarted",
    "RecognitionRequest",
    "Recognizer",
    "Script",
    "SpeechChunk",
    "SpeechRequest",
    "SpeechStarted",
    "SpeechStopped",
    "Synthesizer",
    "TextDelta",
    "Tool",
    "ToolCall",
    "VoiceBurst",
    "VoiceDetector",
    "VoiceJudged",
    "Word",
    "WordTime",
]


# --- the call's audio -------------------------------------------------------------------------------------


class CallAudio(Protocol):
    """One call's audio connection. Nothing here does Python work per 20 ms frame above this line."""

    @property
    def rate_hz(self) -> int:
        """Rate of all PCM in and out: 8000 or 16000."""
        ...

    @property
    def position(self) -> int:
        """Now, on the session clock."""
        ...

    @property
    def played_samples(self) -> int:
        """How many samples given to `play()` have gone to the PBX since the start (idle silence not counted)."""
        ...

    def blocks(self) -> AsyncIterator[AudioBlock]:
        """Yield the caller's audio until the peer is gone. One consumer; more than 200 ms behind drops oldest."""
        ...

    def events(self) -> AsyncIterator[AudioEvent]:
        """Yield events in order until PeerGone or `aclose()`. One consumer."""
        ...

    def play(self, pcm: bytes) -> int:
        """Queue audio behind what is queued already and return its mark.

        The mark is the value that `played_samples` will have when the last of these samples has gone out.
        pcm: int16 little-endian mono at `rate_hz`.
        """
        ...

    def clear(self) -> None:
        """Drop what is queued: the caller's phone is silent within 40 ms; `played_samples` stays true."""
        ...

    def set_alarm(self, position: int) -> None:
        """Ask for AlarmReached at this position. One alarm: a new one replaces it; a past one comes at once."""
        ...

    async def aclose(self) -> None:
        """Release the connection. May be called twice."""
        ...


# --- engines ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecognitionRequest:
    """What to listen for in one utterance."""

    language: str
    """BCP-47 primary tag: `en`, `zh`."""
    rate_hz: int
    engine: str = ""
    """Engine name; empty means the worker's default."""
    grammar: str = ""
    """JSGF grammar of what is expected, with one public rule; empty means open vocabulary."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word, times in ms from the start of the utterance's audio."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the engine believes the caller said: a partial belief, or the final one."""

    text: str
    """Empty when nothing was understood."""
    final: bool
    confidence: float = 0.0
    """0 (a guess) to 1 (certain); only meaningful when final."""
    rejected: bool = False
    """Final only: the audio does not sound like anything the grammar allows; `text` is then not to be used."""
    words: Sequence[Word] = ()


class Recognizer(Protocol):
    """Speech to text for one utterance at a time, any number of utterances at once."""

    def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncIterator[Hypothesis]:
        """Yield partial hypotheses while `audio` goes on, then exactly one final after it ended.

        audio: blocks of PCM (int16 little-endian mono at `request.rate_hz`).
        Raises EngineError. Closing the iterator abandons the utterance and frees the engine.
        """
        ...


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One sentence to be spoken."""

    text: str
    language: str
    voice: str
    """The engine's voice name; empty means its default for the language."""
    rate_hz: int
    engine: str = ""


@dataclass(frozen=True, slots=True)
class WordTime:
    """When a word of the text is spoken, in samples from the start of the sentence's audio."""

    text: str
    start_samples: int
    end_samples: int


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of spoken audio, in order."""

    pcm: bytes
    alignment: Sequence[WordTime] = ()
    """Word times where the engine knows them; positions count from the start of the sentence."""


class Synthesizer(Protocol):
    """Text to speech."""

    def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        """Yield the sentence's audio at `request.rate_hz` as it becomes ready.

        Raises EngineError. Closing the iterator abandons the rest.
        """
        ...


@dataclass(frozen=True, slots=True)
class VoiceJudged:
    """What a voice detector has found in a burst of sound from the caller."""

    burst: int
    """Position at which the burst began."""
    position: int
    """One past the last sample that was looked at."""
    is_voice: bool
    """True: somebody speaks. False: nobody does so far; a voice may still begin."""


class VoiceBurst(Protocol):
    """One burst of sound that a voice detector listens to."""

    def hear(self, position: int, pcm: bytes) -> None:
        """Take the next audio, which never waits; a moment from before the burst helps.

        position: of its first sample; what is missing before it was lost.
        pcm: int16 little-endian mono.
        """
        ...

    def close(self) -> None:
        """The burst is over: nothing more is told about it. May be called twice."""
        ...


class VoiceDetector(Protocol):
    """Tells voices from other sounds, where the energy of a sound says too little; for any number of calls at once.

    Whoever asks goes on without a verdict that does not come in time: none is promised.
    """

    def attend(self, rate_hz: int, burst: int, tell: Callable[[VoiceJudged], None]) -> VoiceBurst:
        """Listen to a burst that begins at this position.

        rate_hz: 8000 or 16000.
        tell: called from the event loop, never within `hear()`: at most once that nobody speaks so far, and once
        that somebody does, which is the last about this burst.
        """
        ...


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool to be run."""

    name: str
    arguments: str
    """JSON object, made by the model: to be checked against the tool's parameters before it is run."""
    call_id: str = ""
    """The engine's own, which the message with the tool's result repeats; not every engine has one."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a chat with a language model."""

    role: str
    """`system`, `user`, `assistant` or `tool`."""
    content: str
    tool_calls: Sequence[ToolCall] = ()
    """Of the assistant: what it wanted to be run."""
    call_id: str = ""
    """Of a tool: whose result this is."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What the model may ask for."""

    name: str
    """Letters, digits, `_` and `-`."""
    description: str
    parameters: str
    """JSON schema of an object."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A completion to be made."""

    messages: Sequence[ChatMessage]
    engine: str = ""
    max_tokens: int = 256
    temperature: float = 0.0
    json_schema: str = ""
    """JSON schema that the reply must satisfy; empty means free text."""
    grammar: str = ""
    """GBNF that the reply must satisfy, where the engine is llama.cpp; not together with json_schema."""
    tools: Sequence[Tool] = ()
    """What it may ask for instead of a reply, or beside one."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatUsage:
    """What the completion cost; sent last. Zeros where the engine does not tell."""

    prompt_tokens: int
    completion_tokens: int


class ChatModel(Protocol):
    """A language model."""

    def complete(self, request: ChatRequest) -> AsyncIterator[TextDelta | ToolCall | ChatUsage]:
        """Yield the reply as it is made. Raises EngineError. Closing the iterator stops the model."""
        ...


# --- the call script --------------------------------------------------------------------------------------


class Script(Protocol):
    """One run of a call script: told what the caller did, it answers with the next Step. Pure, no I/O.

    After a Step that ends in Transfer, HangUp or GoOn nothing is told any more.
    """

    @property
    def result(self) -> FlowResult:
        """What the run has gathered so far."""
        ...

    @property
    def state(self) -> RunState | None:
        """What another run needs to ask again what this one is asking; None when it asks nothing."""
        ...

    def start(self) -> Step:
        """Begin, or go on where another run was. Called once, before anything else."""
        ...

    def hear(self, heard: Heard) -> Step:
        """Take what the caller said."""
        ...

    def press(self, digits: str) -> Step:
        """Take a finished key entry, its terminator left out (a terminator pressed alone is passed as it is)."""
        ...

    def silence(self) -> Step:
        """Take note that the caller did nothing for `Listen.no_input_ms`."""
        ...

    def ask_again(self) -> Step:
        """Ask again, by speech or keys: what the caller said was not recognised this once, and no fault of his."""
        ...

    def repeat(self) -> Step:
        """Ask the open question again: the caller was not there to answer it."""
        ...

    def offer_keys(self) -> Step:
        """Ask again, by keys, now and from now on: speech cannot be recognised any more."""
        ...


# --- record and time --------------------------------------------------------------------------------------


class CallLog(Protocol):
    """The call's record. Each method returns after the fact is committed; raises RecordError where it is not."""

    async def call_started(self, start: CallStart) -> None:
        """Record an offered call."""
        ...

    async def call_answered(self, call_id: str, at_ms: int, point: ResumePoint | None = None) -> None:
        """Record that the call was answered, `at_ms` after it was offered, and where it can be taken up."""
        ...

    async def turn_ended(self, call_id: str, turn: Turn, point: ResumePoint | None = None) -> None:
        """Record one exchange and, in the same commit, where the call can be taken up from now on (None: nowhere)."""
        ...

    async def noted(self, call_id: str, note: CallNote) -> None:
        """Record something else that happened."""
        ...

    async def call_ended(self, call_id: str, end: CallEnd) -> None:
        """Record the outcome; nothing but what `followed_up` tells is recorded for this call afterwards."""
        ...

    async def followed_up(self, call_id: str, note: CallNote) -> None:
        """Record what became of the caller behind us (in a queue), usually after the call's end."""
        ...


class Clock(Protocol):
    """Time as an input."""

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        ...

    def time(self) -> float:
        """Seconds since the epoch (UTC), for records only."""
        ...


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a flow may know of the call when it starts."""

    call_id: str
    ani: str = ""
    dnis: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
