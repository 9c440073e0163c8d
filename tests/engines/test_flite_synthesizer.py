"""flite as a Synthesizer."""

from __future__ import annotations

import pytest

from media_core.pcm import level_dbfs
from parley.conversation.errors import EngineMissing
from parley.conversation.ports import SpeechRequest
from parley.engines.flite_synthesizer import VOICES, FliteSynthesizer
from tests.contract.synthesizer_contract import FailingSynthesizerContract, SynthesizerContract, chunks_of
from tests.engines.programs import needs_flite

pytestmark = needs_flite


@pytest.fixture
def sentence() -> SpeechRequest:
    return SpeechRequest("I would like to pay my bill, please.", "en", "", 8000)


class TestFlite(SynthesizerContract):
    @pytest.fixture
    def synthesizer(self) -> FliteSynthesizer:
        return FliteSynthesizer()


class TestFliteInAnotherLanguage(FailingSynthesizerContract):
    @pytest.fixture
    def failing_synthesizer(self) -> FliteSynthesizer:
        return FliteSynthesizer()

    @pytest.fixture
    def sentence(self) -> SpeechRequest:
        return SpeechRequest("您好", "zh", "", 8000)


@pytest.mark.parametrize("voice", VOICES)
async def test_every_voice_speaks_at_telephone_level(voice: str) -> None:
    (chunk,) = await chunks_of(FliteSynthesizer(), SpeechRequest("Good morning to you.", "en", voice, 8000))
    assert -22 < level_dbfs(chunk.pcm) < -18


async def test_unknown_voice_is_missing_and_the_known_ones_are_named() -> None:
    with pytest.raises(EngineMissing, match=r"no voice 'bob'.*rms"):
        await chunks_of(FliteSynthesizer(), SpeechRequest("hello", "en", "bob", 8000))


async def test_text_that_looks_like_an_option_is_spoken() -> None:
    (plain,) = await chunks_of(FliteSynthesizer(), SpeechRequest("version", "en", "", 8000))
    (dashed,) = await chunks_of(FliteSynthesizer(), SpeechRequest("--version", "en", "", 8000))
    assert len(dashed.pcm) == pytest.approx(len(plain.pcm), rel=0.5)


async def test_accents_and_typographic_signs_are_spoken_plainly() -> None:
    flite = FliteSynthesizer()
    assert flite.encode("It’s Renée’s – café…") == b"It's Renee's - cafe.\n"
