"""The engines that exist, by name. The worker's main asks for those that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from parley.conversation.errors import EngineMissing
from parley.conversation.ports import Recognizer, Synthesizer
from parley.engines.espeak_synthesizer import EspeakSynthesizer
from parley.engines.flite_synthesizer import FliteSynthesizer
from parley.engines.pocketsphinx_recognizer import PocketsphinxRecognizer

Engine = TypeVar("Engine")

RECOGNIZERS: Mapping[str, Callable[[], Recognizer]] = {"pocketsphinx": PocketsphinxRecognizer}
SYNTHESIZERS: Mapping[str, Callable[[], Synthesizer]] = {"flite": FliteSynthesizer, "espeak-ng": EspeakSynthesizer}


def recognizer(name: str) -> Recognizer:
    """Make a recogniser (cheap: models are loaded at first use).

    Raises EngineMissing for an unknown name (it lists the known ones) or one whose parts are not installed.
    """
    return _make("recognizer", RECOGNIZERS, name)


def synthesizer(name: str) -> Synthesizer:
    """Make a synthesiser. Raises EngineMissing as `recognizer()` does."""
    return _make("synthesizer", SYNTHESIZERS, name)


def _make(kind: str, makers: Mapping[str, Callable[[], Engine]], name: str) -> Engine:
    if name not in makers:
        raise EngineMissing(f"there is no {kind} named {name!r}; known: {', '.join(sorted(makers))}")
    return makers[name]()
