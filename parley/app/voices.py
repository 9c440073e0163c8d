"""Which engine speaks for an agent in a language."""

from __future__ import annotations

from collections.abc import Mapping

from parley.app.settings import AgentSettings

DEFAULT_SYNTHESIZERS: Mapping[str, str] = {"en": "flite"}
"""For agents that name none."""
OTHER_SYNTHESIZER = "espeak-ng"
"""Speaks every other language."""


def synthesizer_engine(agent: AgentSettings, language: str) -> str:
    """Return the name of the engine that speaks this language for the agent."""
    return agent.synthesizer or DEFAULT_SYNTHESIZERS.get(language, OTHER_SYNTHESIZER)
