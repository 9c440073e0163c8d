"""The engines of a worker, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from parley.conversation.errors import EngineMissing
from parley.conversation.ports import ChatModel, Recognizer, Synthesizer

Engine = TypeVar("Engine")


@dataclass(frozen=True, slots=True)
class Defaults:
    """The engine that a request without a name gets; empty: the first one registered."""

    recognizer: str = ""
    synthesizer: str = ""
    chat_model: str = ""


@dataclass(frozen=True, slots=True)
class Engines:
    """Any objects with the ports, by engine name."""

    recognizers: Mapping[str, Recognizer] = field(default_factory=dict)
    synthesizers: Mapping[str, Synthesizer] = field(default_factory=dict)
    chat_models: Mapping[str, ChatModel] = field(default_factory=dict)
    defaults: Defaults = Defaults()

    def recognizer(self, name: str) -> Recognizer:
        """Return the named recogniser or the default. Raises EngineMissing."""
        return _pick("recognizer", self.recognizers, name or self.defaults.recognizer)

    def synthesizer(self, name: str) -> Synthesizer:
        """Return the named synthesiser or the default. Raises EngineMissing."""
        return _pick("synthesizer", self.synthesizers, name or self.defaults.synthesizer)

    def chat_model(self, name: str) -> ChatModel:
        """Return the named language model or the default. Raises EngineMissing."""
        return _pick("chat_model", self.chat_models, name or self.defaults.chat_model)

    def services(self) -> list[str]:
        """Return the health service name of each engine: `recognizer/pocketsphinx`."""
        return [
            f"{kind}/{name}"
            for kind, engines in (
                ("recognizer", self.recognizers),
                ("synthesizer", self.synthesizers),
                ("chat_model", self.chat_models),
            )
            for name in engines
        ]


def _pick(kind: str, engines: Mapping[str, Engine], name: str) -> Engine:
    chosen = name or next(iter(engines), "")
    if chosen not in engines:
        known = ", ".join(sorted(engines)) or "none"
        raise EngineMissing(f"this worker has no {kind} named {chosen!r}; it has: {known}")
    return engines[chosen]
