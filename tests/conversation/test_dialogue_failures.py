"""Engines that fail, hang or answer late: the caller is never left in silence."""

import pytest

from parley.conversation.errors import EngineError, EngineMissing, EngineTimeout, EngineUnavailable
from parley.conversation.flow.step import AnswerKind, HangUp, KeyPlan, Line, Listen, Step
from parley.conversation.ports import PeerGone
from parley.conversation.record import EndReason
from parley.conversation.settings import DialogueSettings
from tests.conversation.phone_call import asks, offering, says, talking
from tests.fakes.recognizer import Hears
from tests.fakes.synthesizer import FakeSynthesizer

DOWN = EngineUnavailable("the worker is gone")


@pytest.mark.parametrize("error_at_block", [None, 0, 3])
async def test_recogniser_that_fails_for_good_leads_to_the_prompt_that_offers_keys(error_at_block: int | None) -> None:
    hears = (Hears(error=EngineMissing("no model"), error_at_block=error_at_block),)
    steps = (asks("Which day?"), asks("Please use the keys.", keys=KeyPlan()), says("Fine."))
    async with talking(*steps, hears=hears) as call:
        await call.until_silent()
        await call.speaks(600)
        await call.until_silent()
        await call.audio.advance_until(lambda: call.told == ["offer_keys"])
        await call.until_silent()
        call.session.press("2")
        end = await call.until_over()
        assert call.told == ["offer_keys", "2"]
        assert call.log.turns[1].rejected
        assert call.log.turns[1].agent_heard == "Please use the keys."
        failure = call.log.notes[0]
        assert (failure.kind, failure.details) == (
            "engine_failed",
            {"engine": "recognizer", "code": "engine_missing"},
        )
        assert end.reason is EndReason.COMPLETED


@pytest.mark.parametrize("error", [DOWN, EngineTimeout("busy")])
async def test_recogniser_that_is_busy_once_has_the_agent_ask_again(error: EngineError) -> None:
    hears = (Hears(error=error), "tuesday")
    async with talking(asks("Which day?"), asks("Which day?"), says("Fine."), hears=hears) as call:
        for _ in range(2):
            await call.until_silent()
            await call.speaks(600, pause_ms=600)
        await call.until_over()
        assert call.told == ["ask_again", "tuesday"]


async def test_recogniser_that_fails_twice_in_a_row_leads_to_keys() -> None:
    async with talking(asks("Which?"), hears=(Hears(error=DOWN),) * 2) as call:
        for _ in range(2):
            await call.until_silent()
            await call.speaks(600, pause_ms=600)
        assert call.told == ["ask_again", "offer_keys"]


async def test_recogniser_that_never_finishes_is_given_up_at_its_deadline() -> None:
    settings = DialogueSettings(final_deadline_ms=2000)
    async with talking(asks("Which day?"), says("Fine."), hears=(Hears(hangs=True),), settings=settings) as call:
        await call.until_silent()
        await call.speaks(600, pause_ms=460)
        await call.passes(1900)
        assert call.told == []
        await call.passes(160)
        assert call.told == ["ask_again"]
        assert call.recognizer.open == 0
        await call.until_over()
        assert call.log.notes[0].details["code"] == EngineTimeout.code


async def test_recogniser_that_fails_again_and_again_ends_the_conversation_for_the_fallback_queue() -> None:
    async with talking(asks("Which?"), hears=(Hears(error=DOWN),) * 5) as call:
        for _ in range(3):
            await call.until_silent()
            await call.speaks(600, pause_ms=600)
        end = await call.until_over()
        assert (end.reason, end.then) == (EndReason.ENGINE_FAILED, None)
        assert len(call.log.notes) == 3


async def test_answer_between_failures_starts_their_count_again() -> None:
    hears = (Hears(error=DOWN), Hears(error=DOWN), Hears("sales"), Hears(error=DOWN), Hears(error=DOWN))
    async with talking(asks("Which?"), hears=hears) as call:
        for _ in range(5):
            await call.until_silent()
            await call.speaks(600, pause_ms=600)
        assert not call.over
        assert call.told == ["ask_again", "offer_keys", "sales", "ask_again", "offer_keys"]


async def test_caller_who_answers_by_keys_is_not_given_up_for_a_dead_recogniser() -> None:
    async with talking(asks("Which?", keys=KeyPlan()), hears=(Hears(error=DOWN),) * 9) as call:
        for _ in range(3):
            await call.until_silent()
            await call.speaks(600, pause_ms=600)
            await call.until_silent()
            call.session.press("1")
            await call.passes(20)
        assert not call.over


async def test_second_synthesiser_takes_over_for_the_rest_of_the_call() -> None:
    first = FakeSynthesizer(errors=[None, DOWN])
    second = FakeSynthesizer()
    async with talking(asks("One. Two two. Three."), says("Bye."), synthesizer=first, fallback=second) as call:
        await call.until_silent()
        assert first.texts == ["One.", "Two two."]
        assert second.texts == ["Two two.", "Three."]
        assert not call.over
        await call.hang_up()
        assert call.heard == ["One. Two two. Three."]
        assert call.log.notes[0].details == {"engine": "synthesizer", "code": "engine_unavailable"}


async def test_synthesiser_that_fails_in_mid_sentence_has_the_sentence_said_again() -> None:
    first = FakeSynthesizer(errors=[DOWN], error_after_words=2)
    second = FakeSynthesizer()
    async with talking(says("One two three four. Five. Six."), synthesizer=first, fallback=second) as call:
        end = await call.until_over()
        assert second.texts == ["One two three four.", "Five.", "Six."]
        assert len(call.audio.played_pcm) == (2 + 6) * 200 * 8 * 2
        assert end.reason is EndReason.COMPLETED


async def test_call_without_any_voice_left_ends_for_the_fallback_queue() -> None:
    async with talking(asks("Hello."), synthesizer=FakeSynthesizer(errors=[EngineMissing("no voice")])) as call:
        end = await call.until_over()
        assert (end.reason, end.then) == (EndReason.ENGINE_FAILED, None)
        assert call.log.turns[0].agent_heard == ""


async def test_synthesiser_that_gives_nothing_is_given_up_at_its_deadline() -> None:
    settings = DialogueSettings(speech_deadline_ms=1000)
    second = FakeSynthesizer()
    first = FakeSynthesizer(hangs=True)
    async with talking(asks("Hello."), synthesizer=first, fallback=second, settings=settings) as call:
        await call.passes(900)
        assert second.texts == []
        await call.passes(140)
        assert second.texts == ["Hello."]
        assert first.open == 0


async def test_synthesiser_that_gives_no_audio_has_failed() -> None:
    async with talking(Step((Line("Hello."),), HangUp()), synthesizer=FakeSynthesizer(ms_per_word=0)) as call:
        end = await call.until_over()
        assert end.reason is EndReason.ENGINE_FAILED


async def test_missing_recording_is_synthesised() -> None:
    line = Line("Good morning.", recording="not-there.wav")
    async with offering(Step((line,), Listen("start", AnswerKind.CHOICE))) as call:
        await call.session.prepared()
        await call.answered()
        await call.until_silent()
        assert call.synthesizer.texts == ["Good morning."]


async def test_lost_audio_ends_the_conversation() -> None:
    async with talking(asks("Hello, how are you today?")) as call:
        await call.passes(400)
        call.audio.emit(PeerGone("no packets for 5 s"))
        end = await call.until_over()
        assert end.reason is EndReason.PBX_LOST
        assert call.log.notes[0].kind == "audio_lost"
