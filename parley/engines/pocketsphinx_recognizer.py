"""The offline recogniser: PocketSphinx with a grammar made from the flow; nonsense is rejected.

English. Without a grammar it falls back to open vocabulary, which is costly: those decoders are limited apart.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from parley.conversation.errors import EngineMissing
from parley.conversation.ports import Hypothesis, RecognitionRequest
from parley.engines.acoustic_model import AcousticModel, narrowband_model, wideband_model
from parley.engines.backlog import Backlog
from parley.engines.decoder_pool import DecoderPool
from parley.engines.hosted_listener import HostedListener, ListenerHost

LANES_PER_CORE = 8
"""An utterance takes 0.13 of a core while somebody speaks; the node and the PBX take their part of the cores first."""


def _lanes() -> int:
    return LANES_PER_CORE * len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """How much one worker decodes at once; what comes beyond that waits in the order in which it came."""

    grammar: int = field(default_factory=_lanes)
    """Utterances with a grammar at once: a process of some MB each, and 13 % of a core while somebody speaks."""
    open_vocabulary: int = 1
    """Utterances without a grammar at once: a process and half a core each."""
    wait_s: float = 1.5
    """How long an utterance waits for a decoder after the end of its audio: a little less than a client waits for the
    final (`Deadlines.final_s`), so that a short overload delays answers instead of losing them."""
    backlog_s: float = 10.0
    """Audio of an utterance that waits; what is longer cannot be caught up with in time."""


class PocketsphinxRecognizer:
    """Recognizer with PocketSphinx."""

    def __init__(self, *, narrowband_folder: Path | None = None, limits: DecoderLimits | None = None) -> None:
        """Prepare; models are loaded with the first utterances or by `warm_up()`.

        narrowband_folder: an 8 kHz acoustic model to be used instead of the wheel's.   Raises EngineMissing.
        """
        self._limits = limits = limits or DecoderLimits()
        self._model = narrowband_model(narrowband_folder) if narrowband_folder else wideband_model()
        self._hosts = [ListenerHost(kind, narrowband_folder) for kind in ("grammar", "open")]
        self._grammar_pool, self._open_pool = (
            DecoderPool(partial(HostedListener, host), size, limits.wait_s)
            for host, size in zip(self._hosts, (limits.grammar, limits.open_vocabulary), strict=True)
        )

    @property
    def model(self) -> AcousticModel:
        """The acoustic model in use."""
        return self._model

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncGenerator[Hypothesis]:
        """Yield partials whenever they change, then the final. Raises EngineError."""
        if request.language != "en":
            raise EngineMissing(
                f"pocketsphinx here has no model for language {request.language!r}, only for 'en': "
                "let the caller answer by keys, or choose another recogniser"
            )
        pool = self._grammar_pool if request.grammar else self._open_pool
        backlog = Backlog(audio, int(self._limits.backlog_s * request.rate_hz) * 2)
        async with pool.lane(backlog) as lane:
            listener = await lane.listener()
            await lane.run(listener.start, request.rate_hz, request.grammar)
            known = ""
            async for block in backlog:
                text = await lane.run(listener.hear, block)
                if text != known:
                    known = text
                    yield Hypothesis(text, final=False)
            finding = await lane.run(listener.finish)
            yield finding.hypothesis

    async def warm_up(self) -> None:
        """Make every decoder for grammars now, so that nobody waits for the model (0.3 s) when they first speak."""
        async with AsyncExitStack() as stack:
            for _ in range(self._limits.grammar):
                lane = await stack.enter_async_context(self._grammar_pool.lane())
                await lane.listener()

    def close(self) -> None:
        """End threads and processes; not to be used afterwards."""
        self._grammar_pool.close()
        self._open_pool.close()
        for host in self._hosts:
            host.close()
