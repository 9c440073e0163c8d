"""A worker for tests: `python -m tests.inference.fake_worker ADDRESS`, with engines that need no model.

The synthesiser speaks, except for a text that begins with `hang`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator

from parley.conversation.ports import Hypothesis, RecognitionRequest, SpeechChunk, SpeechRequest
from parley.inference.registry import Engines
from parley.inference.server import serve


class Speaker:
    """Synthesizer that gives 100 ms of audio at once."""

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
        """Speak, or hang."""
        yield SpeechChunk(b"\0\x10" * (request.rate_hz // 10))
        if request.text.startswith("hang"):
            await asyncio.Event().wait()


class Ear:
    """Recognizer that tells how much audio it has got."""

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncGenerator[Hypothesis]:
        """Count blocks."""
        blocks = 0
        async for _ in audio:
            blocks += 1
            yield Hypothesis(str(blocks), final=False)
        yield Hypothesis(str(blocks), final=True, confidence=1.0)


if __name__ == "__main__":
    asyncio.run(
        serve(Engines(recognizers={"fake": Ear()}, synthesizers={"fake": Speaker()}), sys.argv[1], parent_pipe=0)
    )
