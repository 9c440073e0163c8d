"""PocketSphinx as a Recognizer, hearing flite over a µ-law line."""

from __future__ import annotations

import asyncio
import math
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from parley.conversation.errors import EngineError, EngineMissing, EngineUnavailable
from parley.conversation.ports import Hypothesis, RecognitionRequest
from parley.engines import pocketsphinx_recognizer
from parley.engines.hosted_listener import HostedListener, ListenerHost
from parley.engines.pocketsphinx_recognizer import DecoderLimits, PocketsphinxRecognizer
from parley.inference.client import Deadlines
from tests.contract.recognizer_contract import (
    PATIENCE_S,
    FailingRecognizerContract,
    RecognizerContract,
    SpokenBlocks,
    SpokenUtterance,
    hypotheses_of,
)
from tests.engines.programs import needs_flite
from tests.engines.speech import ORDERS, RATE_HZ, YES_OR_NO, said

NARROWBAND = Path(__file__).parents[3] / "shared" / "models" / "pocketsphinx-hub4wsj_sc_8k"


def asking(grammar: str, language: str = "en") -> RecognitionRequest:
    return RecognitionRequest(language, RATE_HZ, grammar=grammar)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_recognizer() -> AsyncIterator[PocketsphinxRecognizer]:
    """Load the models once."""
    recognizer = PocketsphinxRecognizer(limits=DecoderLimits(grammar=2, wait_s=5))
    yield recognizer
    recognizer.close()


@pytest.fixture
def recognizer(shared_recognizer: PocketsphinxRecognizer) -> PocketsphinxRecognizer:
    return shared_recognizer


@pytest_asyncio.fixture(loop_scope="module")
async def utterance() -> SpokenUtterance:
    return SpokenUtterance(asking(ORDERS), await said("pay my bill"), "pay my bill")


async def final_of(recognizer: PocketsphinxRecognizer, grammar: str, pcm: bytes) -> Hypothesis:
    return (await hypotheses_of(recognizer, asking(grammar), pcm))[-1]


@needs_flite
@pytest.mark.asyncio(loop_scope="module")
class TestPocketsphinx(RecognizerContract):
    """The suite of every recogniser."""


@pytest.mark.asyncio(loop_scope="module")
class TestPocketsphinxInAnotherLanguage(FailingRecognizerContract):
    @pytest.fixture
    def utterance(self) -> SpokenUtterance:
        return SpokenUtterance(asking("#JSGF V1.0; grammar g; public <g> = 是;", "zh"), b"", "")

    @pytest.fixture
    def failing_recognizer(self, recognizer: PocketsphinxRecognizer) -> PocketsphinxRecognizer:
        return recognizer

    async def test_message_says_what_to_do(
        self, failing_recognizer: PocketsphinxRecognizer, utterance: SpokenUtterance
    ) -> None:
        with pytest.raises(EngineMissing, match=r"no model for language 'zh'.*by keys"):
            await hypotheses_of(failing_recognizer, utterance.request, b"")


@needs_flite
@pytest.mark.asyncio(loop_scope="module")
class TestAnswers:
    """What is understood, and what is refused."""

    async def test_partials_grow_while_the_caller_speaks(self, recognizer: PocketsphinxRecognizer) -> None:
        pcm = await said("i would like to pay my bill please")
        hypotheses = await hypotheses_of(recognizer, asking(ORDERS), pcm)
        partials = [heard.text for heard in hypotheses[:-1]]
        assert hypotheses[-1].text == "i would like to pay my bill please"
        assert len(partials) >= 3
        assert partials == [text for index, text in enumerate(partials) if index == 0 or text != partials[index - 1]]

    async def test_words_have_times_within_the_utterance(self, recognizer: PocketsphinxRecognizer) -> None:
        pcm = await said("check my balance")
        final = await final_of(recognizer, ORDERS, pcm)
        assert [word.text for word in final.words] == ["check", "my", "balance"]
        times = [time for word in final.words for time in (word.start_ms, word.end_ms)]
        assert times == sorted(times)
        assert times[-1] <= len(pcm) / 2 / RATE_HZ * 1000

    @pytest.mark.parametrize("voice", ["rms", "slt", "awb"])
    async def test_answers_of_several_voices_are_kept(self, recognizer: PocketsphinxRecognizer, voice: str) -> None:
        final = await final_of(recognizer, ORDERS, await said("make an appointment", voice))
        assert (final.text, final.rejected) == ("make an appointment", False)

    @pytest.mark.parametrize(
        "nonsense", ["purple elephants dance at midnight", "the weather is lovely in the mountains", "hippopotamus"]
    )
    @pytest.mark.parametrize("grammar", [ORDERS, YES_OR_NO])
    async def test_nonsense_is_rejected_rather_than_forced_into_the_grammar(
        self, recognizer: PocketsphinxRecognizer, nonsense: str, grammar: str
    ) -> None:
        assert (await final_of(recognizer, grammar, await said(nonsense))).rejected

    async def test_noise_tone_and_too_little_speech_are_rejected(self, recognizer: PocketsphinxRecognizer) -> None:
        dice = random.Random(1)
        noise = b"".join(int(dice.gauss(0, 3000)).to_bytes(2, "little", signed=True) for _ in range(RATE_HZ))
        tone = b"".join(
            int(6000 * math.sin(2 * math.pi * 440 * sample / RATE_HZ)).to_bytes(2, "little", signed=True)
            for sample in range(RATE_HZ)
        )
        for pcm in (noise, tone, noise[:800], b"\0\0"):
            assert (await final_of(recognizer, YES_OR_NO, pcm)).rejected

    async def test_grammar_may_change_with_every_utterance(self, recognizer: PocketsphinxRecognizer) -> None:
        yes, order = await said("yes please"), await said("track my order")
        for _ in range(2):
            assert (await final_of(recognizer, YES_OR_NO, yes)).text == "yes please"
            assert (await final_of(recognizer, ORDERS, order)).text == "track my order"

    async def test_word_that_the_dictionary_lacks_is_understood(self, recognizer: PocketsphinxRecognizer) -> None:
        grammar = "#JSGF V1.0; grammar g; public <g> = call zorbatron | call 张伟 | cancel everything;"
        assert (await final_of(recognizer, grammar, await said("call zorbatron"))).text == "call zorbatron"

    async def test_open_vocabulary_hears_words(self, recognizer: PocketsphinxRecognizer) -> None:
        final = await final_of(recognizer, "", await said("what is the weather like today"))
        assert "weather" in final.text
        assert 0 < final.confidence <= 1
        assert (await final_of(recognizer, "", bytes(1600))).text == ""


@pytest.mark.asyncio(loop_scope="module")
class TestMisuse:
    """Wrong requests fail clearly and leave the engine usable."""

    @pytest.mark.parametrize(
        "grammar", ["nonsense {", "#JSGF V1.0; grammar g; public <g> = <absent>;", "#JSGF V1.0; grammar g; <g> = yes;"]
    )
    async def test_grammar_that_is_none_is_an_engine_error(
        self, recognizer: PocketsphinxRecognizer, grammar: str
    ) -> None:
        with pytest.raises(EngineError):
            await final_of(recognizer, grammar, b"\0\0" * 800)
        assert (await final_of(recognizer, YES_OR_NO, b"")).rejected

    async def test_rate_that_no_call_has_is_an_engine_error(self, recognizer: PocketsphinxRecognizer) -> None:
        with pytest.raises(EngineError, match="8000 or 16000"):
            await hypotheses_of(recognizer, RecognitionRequest("en", 44100, grammar=YES_OR_NO), b"")


async def test_utterances_beyond_the_limit_are_refused_after_a_wait() -> None:
    recognizer = PocketsphinxRecognizer(limits=DecoderLimits(grammar=1, wait_s=0.01))
    await recognizer.warm_up()
    blocks = SpokenBlocks(b"\0\0" * 800, RATE_HZ, endless=True)

    async def endless() -> None:
        async for _ in recognizer.recognize(asking(YES_OR_NO), blocks):
            pass

    async with asyncio.TaskGroup() as group:
        first = group.create_task(endless())
        await blocks.exhausted.wait()
        with pytest.raises(EngineUnavailable, match="busy"):
            await final_of(recognizer, YES_OR_NO, b"")
        first.cancel()
    assert (await final_of(recognizer, YES_OR_NO, b"")).rejected
    recognizer.close()


@needs_flite
async def test_utterances_beyond_the_decoders_are_delayed_not_lost() -> None:
    recognizer = PocketsphinxRecognizer(limits=DecoderLimits(grammar=1, wait_s=PATIENCE_S))
    await recognizer.warm_up()
    pcm = await said("pay my bill")
    finals = await asyncio.gather(*(final_of(recognizer, ORDERS, pcm) for _ in range(4)))
    assert [final.text for final in finals] == ["pay my bill"] * 4
    recognizer.close()


async def test_warm_recognizer_has_made_every_decoder_that_it_may_need_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[HostedListener] = []

    class CountedListener(HostedListener):
        def __init__(self, host: ListenerHost) -> None:
            super().__init__(host)
            made.append(self)

    monkeypatch.setattr(pocketsphinx_recognizer, "HostedListener", CountedListener)
    recognizer = PocketsphinxRecognizer(limits=DecoderLimits(grammar=3))
    await recognizer.warm_up()
    assert len(made) == 3
    recognizer.close()


@needs_flite
async def test_decoder_that_died_between_two_utterances_is_replaced_unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[HostedListener] = []
    make = HostedListener

    def noted(host: ListenerHost) -> HostedListener:
        made.append(make(host))
        return made[-1]

    monkeypatch.setattr(pocketsphinx_recognizer, "HostedListener", noted)
    recognizer = PocketsphinxRecognizer(limits=DecoderLimits(grammar=1))
    pcm = await said("pay my bill")
    for _ in range(2):
        assert (await final_of(recognizer, ORDERS, pcm)).text == "pay my bill"
        os.kill(made[0].pid, signal.SIGKILL)
    assert len(made) == 1
    recognizer.close()


def test_utterances_wait_for_a_decoder_less_than_the_client_waits_for_them() -> None:
    assert DecoderLimits().wait_s < Deadlines().final_s


def test_folder_without_a_model_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="mdef"):
        PocketsphinxRecognizer(narrowband_folder=tmp_path)


@needs_flite
@pytest.mark.skipif(not NARROWBAND.exists(), reason="no 8 kHz model in ../shared/models")
async def test_narrowband_model_understands_and_rejects() -> None:
    recognizer = PocketsphinxRecognizer(narrowband_folder=NARROWBAND)
    good = await final_of(recognizer, ORDERS, await said("track my order"))
    bad = await final_of(recognizer, ORDERS, await said("purple elephants dance at midnight"))
    assert (good.text, good.rejected, bad.rejected) == ("track my order", False, True)
    recognizer.close()
