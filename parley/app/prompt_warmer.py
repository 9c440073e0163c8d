"""Speak all fixed prompts into the cache before the first call, so that no caller waits for a synthesiser."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping

from parley.app.settings import Settings
from parley.app.voices import FILLERS, synthesizer_engine
from parley.conversation.flow.flow import Flow
from parley.conversation.flow.step import Line
from parley.conversation.ports import SpeechRequest
from parley.conversation.spoken import sentences_of
from parley.inference.speech_cache import CachedSynthesizer

logger = logging.getLogger(__name__)

WARMING_S = 60.0
"""After this long the first call does not wait any more; what is missing is spoken when it is needed."""


async def warm_prompts(settings: Settings, flows: Mapping[str, Flow], synthesizer: CachedSynthesizer) -> None:
    """Warm the cache for every agent and language. Engines that are missing are reported, not raised."""
    requests = list(dict.fromkeys(_requests(settings, flows)))
    try:
        async with asyncio.timeout(WARMING_S):
            failed = await synthesizer.warm(requests)
    except TimeoutError:
        logger.warning("not all prompts are in the cache yet", extra={"waited_s": WARMING_S})
        return
    if failed:
        logger.warning("prompts could not be spoken", extra={"prompts": failed, "of": len(requests)})
    else:
        logger.info("prompts are ready", extra={"prompts": len(requests)})


def _requests(settings: Settings, flows: Mapping[str, Flow]) -> Iterator[SpeechRequest]:
    """Yield each fixed sentence as the dialogue will ask for it."""
    for rate_hz in settings.media.rates_hz:
        yield from _requests_at(rate_hz, settings, flows)


def _requests_at(rate_hz: int, settings: Settings, flows: Mapping[str, Flow]) -> Iterator[SpeechRequest]:
    for name, flow in flows.items():
        agent = settings.agents[name]
        for language in flow.languages:
            fillers = [Line(FILLERS[language])] if language in FILLERS else []
            lines = [*flow.fixed_prompts(language), *fillers]
            for sentence in sentences_of(lines, language):
                yield SpeechRequest(
                    text=sentence.words.said,
                    language=language,
                    voice=agent.voices.get(language, ""),
                    rate_hz=rate_hz,
                    engine=synthesizer_engine(agent, language),
                )
