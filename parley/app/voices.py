"""Who speaks for an agent in a language, and who stands in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace

from parley.app.engine_settings import EngineSettings
from parley.app.settings_tables import AgentSettings
from parley.conversation.ports import SpeechChunk, SpeechRequest, Synthesizer

DEFAULT_SYNTHESIZERS: Mapping[str, str] = {"en": "flite"}
"""For agents that name none."""
OTHER_SYNTHESIZER = "espeak-ng"
"""Speaks every other language."""


FILLERS: Mapping[str, str] = {"en": "One moment, please.", "zh": "请稍等。"}
"""Said when an answer takes long, so that the line is never dead."""


def engine_versions(engines: EngineSettings) -> dict[str, str]:
    """Return by engine what changes when it sounds different: of piper, the voices' names, sizes and times.

    An agent that names no voice speaks with the first one in the folder. Blocks shortly. Voices of a worker on another
    machine are not seen.
    """
    if engines.piper is None:
        return {}
    voices = []
    for path in sorted(engines.piper.folder.glob("*.onnx*")):
        with suppress(OSError):  # a file that goes away meanwhile
            stat = path.stat()
            voices.append((path.name, stat.st_size, stat.st_mtime_ns))
    return {"piper": json.dumps(voices)}


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
