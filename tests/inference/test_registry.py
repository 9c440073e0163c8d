"""Engines by name."""

from __future__ import annotations

import pytest

from parley.conversation.errors import EngineMissing
from parley.inference.registry import Defaults, Engines
from tests.fakes.recognizer import FakeRecognizer
from tests.fakes.synthesizer import FakeSynthesizer


def test_empty_name_means_the_default() -> None:
    first, second = FakeSynthesizer(), FakeSynthesizer()
    engines = Engines(synthesizers={"flite": first, "espeak-ng": second}, defaults=Defaults(synthesizer="espeak-ng"))
    assert engines.synthesizer("") is second
    assert engines.synthesizer("flite") is first


def test_without_a_stated_default_the_first_one_is_it() -> None:
    only = FakeRecognizer()
    assert Engines(recognizers={"pocketsphinx": only}).recognizer("") is only


def test_unknown_engine_is_missing_and_the_known_ones_are_named() -> None:
    with pytest.raises(EngineMissing, match=r"no recognizer named 'whisper'.*pocketsphinx"):
        Engines(recognizers={"pocketsphinx": FakeRecognizer()}).recognizer("whisper")
    with pytest.raises(EngineMissing, match="it has: none"):
        Engines().chat_model("")


def test_each_engine_has_a_health_service() -> None:
    engines = Engines(recognizers={"a": FakeRecognizer()}, synthesizers={"b": FakeSynthesizer()})
    assert engines.services() == ["recognizer/a", "synthesizer/b"]
