"""A synthesiser whose words last as long as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

from parley.conversation.errors import EngineError
from parley.conversation.ports import SpeechChunk, SpeechRequest, WordTime
from tests.fakes.clock import FakeClock


class FakeSynthesizer:
    """Synthesizer that makes a tone of `ms_per_word` for each word, a chunk per word."""

    def __init__(
        self,
        *,
        ms_per_word: int = 200,
        delay_ms: int = 0,
        align: bool = False,
        errors: Iterable[EngineError | None] = (),
        error_after_words: int = 0,
        hangs: bool = False,
        clock: FakeClock | None = None,
    ) -> None:
        """Prepare to speak.

        delay_ms: before a sentence's first chunk; needs the clock.   align: give word times.   errors: one for each
        sentence, in order, None for one that works; after their end all work.   error_after_words: where in the
        sentence it is raised.   hangs: never give any audio.
        """
        self._ms_per_word = ms_per_word
        self._delay_ms = delay_ms
        self._align = align
        self._errors = list(errors)
        self._error_after_words = error_after_words
        self._hangs = hangs
        self._clock = clock or FakeClock()
        self.requests: list[SpeechRequest] = []
        """One for each sentence that was asked for."""
        self.open = 0
        """Sentences that hold an engine now."""

    @property
    def texts(self) -> list[str]:
        """The sentences that were asked for."""
        return [request.text for request in self.requests]

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
        """Yield one chunk per word."""
        error = self._errors[len(self.requests)] if len(self.requests) < len(self._errors) else None
        self.requests.append(request)
        samples = self._ms_per_word * request.rate_hz // 1000
        self.open += 1
        try:
            if self._hangs:
                await asyncio.Event().wait()
            await self._clock.passes(self._delay_ms)
            for index, word in enumerate(request.text.split()):
                if error is not None and index == self._error_after_words:
                    raise error
                times = WordTime(word, index * samples, (index + 1) * samples)
                yield SpeechChunk(_tone(samples), (times,) if self._align else ())
        finally:
            self.open -= 1


def _tone(samples: int) -> bytes:
    """Make a square wave of 8 samples' period."""
    return (b"\x00\x10" * 4 + b"\x00\xf0" * 4)[:16] * (samples // 8) + b"\x00\x10" * (samples % 8)
