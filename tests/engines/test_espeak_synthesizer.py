"""espeak-ng as a Synthesizer."""

from __future__ import annotations

import pytest

from parley.conversation.errors import EngineError, EngineMissing
from parley.conversation.ports import SpeechRequest
from parley.engines.espeak_synthesizer import EspeakSynthesizer
from tests.contract.synthesizer_contract import SynthesizerContract, chunks_of
from tests.engines.programs import needs_espeak

pytestmark = needs_espeak


class TestEspeak(SynthesizerContract):
    @pytest.fixture
    def synthesizer(self) -> EspeakSynthesizer:
        return EspeakSynthesizer()

    @pytest.fixture
    def sentence(self) -> SpeechRequest:
        return SpeechRequest("I would like to pay my bill, please.", "en", "", 8000)


async def test_mandarin_is_spoken() -> None:
    (chunk,) = await chunks_of(EspeakSynthesizer(), SpeechRequest("您好，请问有什么可以帮您？", "zh", "", 8000))
    assert 1.5 < len(chunk.pcm) / 2 / 8000 < 6


async def test_language_chooses_the_voice() -> None:
    espeak = EspeakSynthesizer()
    assert [espeak.voice(language, "") for language in ("en", "zh", "de")] == ["en-us", "cmn", "de"]
    assert espeak.voice("en", "en-gb+f2") == "en-gb+f2"


@pytest.mark.parametrize("voice", ["--path=/etc", "../../etc/passwd", "en us", "EN"])
async def test_voice_that_is_no_name_never_reaches_the_program(voice: str) -> None:
    with pytest.raises(EngineMissing, match="not the name"):
        await chunks_of(EspeakSynthesizer(), SpeechRequest("hello", "en", voice, 8000))


async def test_voice_that_espeak_lacks_is_an_engine_error() -> None:
    with pytest.raises(EngineError):
        await chunks_of(EspeakSynthesizer(), SpeechRequest("hello", "xx", "", 8000))
