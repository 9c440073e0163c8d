"""Who speaks for an agent in a language, and who stands in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from parley.app.settings_tables import AgentSettings
from parley.conversation.ports import SpeechChunk, SpeechRequest, Synthesizer

DEFAULT_SYNTHESIZERS: Mapping[str, str] = {"en": "flite"}
"""For agents that name none."""
OTHER_SYNTHESIZER = "espeak-ng"
"""Speaks every other language."""


FILLERS: Mapping[str, str] = {"en": "One moment, please.", "zh": "请稍等。"}
"""Said when an answer takes long, so that the line is never dead."""


class FallbackVoice:
    """Synthesizer that speaks with another engine's default voice, whatever the request names.

    It stands in when an agent's own engine fails.
    """

    def __init__(self, inner: Synthesizer, engine: str = OTHER_SYNTHESIZER) -> None:
        """inner: knows both engines."""
        self._inner = inner
        self._engine = engine

    def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        """Yield the sentence's audio. Raises EngineError."""
        return self._inner.synthesize(replace(request, engine=self._engine, voice=""))


def synthesizer_engine(agent: AgentSettings, language: str) -> str:
    """Return the name of the engine that speaks this language for the agent."""
    return agent.synthesizer or DEFAULT_SYNTHESIZERS.get(language, OTHER_SYNTHESIZER)
