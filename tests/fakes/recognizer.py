"""A recogniser that hears what the test says it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from parley.conversation.errors import EngineError
from parley.conversation.ports import Hypothesis, RecognitionRequest
from tests.fakes.clock import FakeClock


@dataclass(frozen=True, slots=True)
class Hears:
    """What is made of one utterance."""

    text: str = ""
    confidence: float = 0.9
    rejected: bool = False
    partials: tuple[str, ...] = ()
    """One after each block of audio, from the first on."""
    delay_ms: int = 0
    """From the end of the audio to the final; needs the fake's clock."""
    error: EngineError | None = None
    """Raised instead of the final."""
    error_at_block: int | None = None
    """Raise `error` at this block (from 0) instead, while the caller is still speaking."""
    hangs: bool = False
    """Never finish."""


class FakeRecognizer:
    """Recognizer with a list of what is heard; after its end nothing is heard."""

    def __init__(self, *hears: Hears | str, clock: FakeClock | None = None) -> None:
        """hears: one for each utterance, in order; a string is its text."""
        self._hears = [heard if isinstance(heard, Hears) else Hears(heard) for heard in hears]
        self._clock = clock or FakeClock()
        self.requests: list[RecognitionRequest] = []
        """One for each utterance that was begun."""
        self.audio: list[bytearray] = []
        """What each utterance consisted of."""
        self.open = 0
        """Utterances that hold an engine now."""
        self.finished = 0
        """Utterances that came to their final."""

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncGenerator[Hypothesis]:
        """Yield the partials and the final of the next utterance."""
        number = len(self.requests)
        heard = self._hears[number] if number < len(self._hears) else Hears()
        pcm = bytearray()
        self.requests.append(request)
        self.audio.append(pcm)
        self.open += 1
        try:
            blocks = 0
            async for block in audio:
                pcm += block
                if heard.error is not None and heard.error_at_block == blocks:
                    raise heard.error
                if blocks < len(heard.partials):
                    yield Hypothesis(heard.partials[blocks], final=False)
                blocks += 1
            if heard.hangs:
                await asyncio.Event().wait()
            await self._clock.passes(heard.delay_ms)
            if heard.error is not None:
                raise heard.error
            self.finished += 1
            yield self.final(heard, bytes(pcm))
        finally:
            self.open -= 1

    def final(self, heard: Hears, pcm: bytes) -> Hypothesis:
        """Return the final of an utterance of this audio; a fake that listens overrides it."""
        return Hypothesis(heard.text, final=True, confidence=heard.confidence, rejected=heard.rejected)
