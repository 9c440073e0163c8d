"""Engines by name."""

from __future__ import annotations

import pytest

from parley.conversation.errors import EngineMissing
from parley.engines import catalogue
from parley.engines.flite_synthesizer import FliteSynthesizer
from parley.engines.pocketsphinx_recognizer import PocketsphinxRecognizer
from tests.engines.programs import needs_flite


def test_recogniser_is_made_by_name() -> None:
    recognizer = catalogue.recognizer("pocketsphinx")
    assert isinstance(recognizer, PocketsphinxRecognizer)
    recognizer.close()


@needs_flite
def test_synthesiser_is_made_by_name() -> None:
    assert isinstance(catalogue.synthesizer("flite"), FliteSynthesizer)


def test_unknown_name_is_missing_and_the_known_ones_are_listed() -> None:
    with pytest.raises(EngineMissing, match="no recognizer named 'whisper'; known: pocketsphinx"):
        catalogue.recognizer("whisper")
    with pytest.raises(EngineMissing, match="known: espeak-ng, flite"):
        catalogue.synthesizer("piper")
