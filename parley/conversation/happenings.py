"""Everything that can happen to a call, and the one place where it arrives.

Audio, engines and the call runner post; the dialogue takes one after the other.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from parley.call_control import HangupCause
from parley.conversation.errors import EngineError
from parley.conversation.ports import AudioEvent, Hypothesis, VoiceJudged

logger = logging.getLogger(__name__)

INBOX_SIZE = 256
"""A call makes a few dozen happenings per second at most: more waiting than this means that nobody reads."""


@dataclass(frozen=True, slots=True)
class BlockHeard:
    """A block of the caller's audio came in while the caller was speaking."""

    end: int
    """Position one past its last sample."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """The recogniser has a belief about an utterance."""

    utterance: int
    hypothesis: Hypothesis


@dataclass(frozen=True, slots=True)
class RecognitionFailed:
    """There will be no final hypothesis for this utterance."""

    utterance: int
    error: EngineError


@dataclass(frozen=True, slots=True)
class SpeechQueued:
    """All that the agent was to say is synthesised and queued."""


@dataclass(frozen=True, slots=True)
class SpeechFailed:
    """A synthesiser failed."""

    error: EngineError
    recovered: bool
    """Another one has taken over; otherwise the agent has no voice left."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The PBX has answered the call: the caller hears the agent from now on."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller's leg ended."""

    cause: HangupCause


@dataclass(frozen=True, slots=True)
class Held:
    """The caller has put us on hold."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The caller is back from hold."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another party has taken the caller's place."""

    leg_id: str


@dataclass(frozen=True, slots=True)
class TakenAway:
    """The PBX has moved the caller elsewhere."""


@dataclass(frozen=True, slots=True)
class ControlLost:
    """What happens to the caller's leg is told to somebody else from now on."""


@dataclass(frozen=True, slots=True)
class DrainAsked:
    """Parley stops: the call must end now."""


EngineHappening = Recognised | RecognitionFailed | SpeechQueued | SpeechFailed
CallHappening = Answered | Held | Retrieved | Replaced | HungUp | TakenAway | ControlLost | DrainAsked
Happening = AudioEvent | BlockHeard | VoiceJudged | EngineHappening | CallHappening


class Inbox:
    """A bounded queue of happenings; when full, the oldest is dropped and counted, so the newest always gets in."""

    def __init__(self, size: int = INBOX_SIZE) -> None:
        """size: happenings kept."""
        self._queue: asyncio.Queue[Happening] = asyncio.Queue(maxsize=size)
        self.dropped = 0

    def post(self, happening: Happening) -> None:
        """Add a happening without waiting."""
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
            logger.error("call is not keeping up, happenings are lost", extra={"dropped": self.dropped})
        self._queue.put_nowait(happening)

    async def next(self) -> Happening:
        """Take the oldest happening, waiting for one. Cancelling: none is lost."""
        return await self._queue.get()
