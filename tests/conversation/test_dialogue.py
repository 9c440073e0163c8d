"""The turn loop: who speaks when, and what the script is told."""

import pytest

from parley.conversation.flow.step import AnswerKind, GoOn, HangUp, Line, Listen, Step
from parley.conversation.record import EndReason
from parley.conversation.settings import DialogueSettings
from tests.conversation.phone_call import QUEUE, asks, offering, says, talking
from tests.fakes.clock import FakeClock
from tests.fakes.recognizer import Hears
from tests.fakes.synthesizer import FakeSynthesizer

# --- turns --------------------------------------------------------------------------------------------------


async def test_greeting_is_followed_by_the_callers_answer_and_the_agents_reply() -> None:
    async with talking(asks("Good morning. How can I help you?"), says("Goodbye."), hears=("an appointment",)) as call:
        await call.until_silent()
        await call.speaks(800)
        end = await call.until_over()
        assert call.told == ["an appointment"]
        assert call.heard == ["Good morning. How can I help you?", "Goodbye."]
        assert (end.reason, end.then) == (EndReason.COMPLETED, HangUp())


async def test_transfer_waits_until_the_last_word_has_been_played() -> None:
    async with talking(says("I put you through to sales.", QUEUE)) as call:
        end = await call.until_over()
        assert (end.reason, end.then) == (EndReason.TRANSFERRED, QUEUE)
        assert call.heard == ["I put you through to sales."]
        assert len(call.audio.played_pcm) == 6 * 200 * 8 * 2


async def test_call_goes_on_after_the_last_word_for_as_long_as_it_is_on_its_way_to_the_phone() -> None:
    async with talking(says("Goodbye.", GoOn())) as call:
        await call.until_silent()
        said_at = call.audio.played[-1].end
        await call.until_over()
        assert call.audio.position - said_at >= DialogueSettings().tail_ms * 8


async def test_caller_cannot_cut_a_farewell_short() -> None:
    async with talking(says("Thank you for calling us today. Goodbye.")) as call:
        await call.passes(300)
        await call.speaks(800)
        await call.until_over()
        assert call.heard == ["Thank you for calling us today. Goodbye."]
        assert call.told == []


async def test_step_without_words_listens_at_once() -> None:
    async with talking(asks(""), says("Bye."), hears=("sales",)) as call:
        await call.speaks(400)
        await call.until_over()
        assert call.told == ["sales"]


async def test_recogniser_is_asked_for_what_the_script_expects() -> None:
    async with talking(asks("Which day?"), says("Bye.")) as call:
        await call.until_silent()
        await call.speaks(400)
        await call.until_over()
        request = call.recognizer.requests[0]
        assert (request.grammar, request.language, request.rate_hz) == ("#JSGF", "en", 8000)


# --- endpointing --------------------------------------------------------------------------------------------


async def test_pause_in_mid_answer_keeps_the_turn() -> None:
    async with talking(asks("Which day?", kind=AnswerKind.DAY), says("Fine."), hears=("tuesday at nine",)) as call:
        await call.until_silent()
        await call.speaks(400, pause_ms=500)
        await call.speaks(400)
        await call.until_over()
        assert call.told == ["tuesday at nine"]
        assert len(call.recognizer.requests) == 1


async def test_pause_longer_than_the_patience_ends_the_turn() -> None:
    async with talking(asks("Sure?", kind=AnswerKind.YES_NO), asks("Really?"), hears=("yes", "no")) as call:
        await call.until_silent()
        await call.speaks(400, pause_ms=480)
        assert call.told == ["yes"]


async def test_patience_depends_on_the_kind_of_answer() -> None:
    async with talking(asks("Tell me all.", kind=AnswerKind.FREE), says("Well."), hears=("it rained",)) as call:
        await call.until_silent()
        await call.speaks(400, pause_ms=940)
        assert call.told == []
        await call.passes(80)
        assert call.told == ["it rained"]


async def test_noise_shorter_than_speech_is_no_turn() -> None:
    async with talking(asks("Which day?", no_input_ms=2000), asks("Still there?")) as call:
        await call.until_silent()
        await call.speaks(80, pause_ms=1000)
        assert call.told == []
        assert call.recognizer.finished == 0


async def test_noise_does_not_put_off_the_silence_prompt() -> None:
    async with talking(asks("Which day?", no_input_ms=2000), asks("Still there?")) as call:
        await call.until_silent()
        said_at = call.audio.played[-1].end // 8
        await call.passes(1000)
        await call.speaks(80)
        await call.audio.advance_until(lambda: call.told == ["silence"])
        assert call.audio.position_ms - said_at <= 2040


async def test_caller_who_never_stops_is_answered_after_the_longest_speech() -> None:
    async with talking(asks("Why?", max_speech_ms=2000), says("I see."), hears=("well you know",)) as call:
        await call.until_silent()
        await call.speaks(4000)
        assert call.told == ["well you know"]


async def test_caller_who_goes_on_before_the_final_transcript_adds_to_the_answer() -> None:
    hears = (Hears("an appointment", delay_ms=600, confidence=0.9), Hears("on tuesday", confidence=0.7))
    async with talking(asks("What for?"), says("Fine."), hears=hears) as call:
        await call.until_silent()
        await call.speaks(600, pause_ms=500)
        await call.speaks(600)
        await call.until_over()
        assert call.told == ["an appointment on tuesday"]
        assert call.log.turns[1].confidence == 0.7


async def test_deadline_of_the_first_transcript_does_not_cut_a_caller_who_goes_on() -> None:
    settings = DialogueSettings(final_deadline_ms=800)
    hears = (Hears("an appointment", delay_ms=700), Hears("on tuesday"))
    async with talking(asks("What for?"), says("Fine."), hears=hears, settings=settings) as call:
        await call.until_silent()
        await call.speaks(600, pause_ms=500)
        await call.speaks(1600)
        await call.until_over()
        assert call.told == ["an appointment on tuesday"]
        assert call.log.notes == []


async def test_caller_who_goes_on_after_the_reply_has_begun_is_heard_as_an_answer_to_it() -> None:
    steps = (asks("What for?"), asks("On which day would you like to come to us?"), says("Fine."))
    async with talking(*steps, hears=("an appointment", "on tuesday")) as call:
        await call.until_silent()
        await call.speaks(600, pause_ms=520)
        await call.speaks(600)
        await call.until_over()
        assert call.told == ["an appointment", "on tuesday"]
        assert call.heard[1] == "On"


# --- silence ------------------------------------------------------------------------------------------------


async def test_silence_is_counted_from_the_last_word_played_and_prompts_escalate() -> None:
    steps = (asks("Which day?", no_input_ms=3000), asks("Are you there?", no_input_ms=3000), says("Goodbye."))
    async with talking(*steps) as call:
        await call.until_silent()
        said_at = call.audio.played[-1].end // 8
        await call.audio.advance_until(lambda: call.told == ["silence"])
        assert 3000 <= call.audio.position_ms - said_at <= 3040
        await call.until_over()
        assert call.told == ["silence", "silence"]
        assert call.heard == ["Which day?", "Are you there?", "Goodbye."]
        assert [note.kind for note in call.log.notes] == ["silence", "silence"]


async def test_caller_who_speaks_just_before_the_silence_prompt_is_listened_to() -> None:
    async with talking(asks("Which day?", no_input_ms=3000), says("Fine."), hears=("tuesday",)) as call:
        await call.until_silent()
        await call.passes(2880)
        await call.speaks(900)
        await call.until_over()
        assert call.told == ["tuesday"]


# --- fillers ------------------------------------------------------------------------------------------------


async def test_long_wait_for_the_transcript_is_bridged_by_a_filler() -> None:
    hears = (Hears("tuesday", delay_ms=2000),)
    async with talking(asks("Which day?"), says("Fine."), hears=hears, fillers=(Line("One moment."),)) as call:
        await call.until_silent()
        await call.speaks(600)
        spoken_until = call.audio.position_ms
        await call.audio.advance_until(lambda: not call.silent)
        assert call.audio.position_ms - spoken_until <= 1500
        await call.until_over()
        assert call.heard[1] == "One moment. Fine."
        assert call.log.turns[1].agent_text == "Fine."


@pytest.mark.parametrize("delay_ms", [1300, 1600])
async def test_filler_does_not_pass_for_the_answer_in_the_timings(delay_ms: int) -> None:
    """The transcript comes while the filler sounds, or after it."""
    hears = (Hears("tuesday", delay_ms=delay_ms),)
    async with talking(asks("Which day?"), says("Fine."), hears=hears, fillers=(Line("One moment please."),)) as call:
        await call.until_silent()
        await call.speaks(600)
        spoken_until = call.audio.position
        await call.until_over()
        fine = call.audio.played[-1].end - 200 * 8
        assert call.log.turns[1].timings.response_ms == (fine - spoken_until) // 8
        assert (fine - spoken_until) // 8 >= 1400 + 600


async def test_quick_answer_needs_no_filler() -> None:
    async with talking(asks("Which day?"), says("Fine."), hears=("tuesday",), fillers=(Line("One moment."),)) as call:
        await call.until_silent()
        await call.speaks(600)
        await call.until_over()
        assert call.heard[1] == "Fine."


async def test_slow_synthesiser_is_bridged_by_a_filler() -> None:
    clock = FakeClock()
    synthesizer = FakeSynthesizer(clock=clock, delay_ms=2000)
    steps, fillers = (asks("Which day?"), says("Fine.")), (Line("One moment."),)
    async with talking(*steps, hears=("tuesday",), synthesizer=synthesizer, fillers=fillers, clock=clock) as call:
        await call.audio.advance_until(lambda: not call.silent)
        await call.until_silent()
        await call.passes(2000)
        await call.speaks(600)
        await call.until_over()
        assert call.heard == ["Which day?", "One moment. Fine."]


async def test_filler_that_is_made_during_the_wait_is_said_as_soon_as_it_is_ready() -> None:
    clock = FakeClock()
    synthesizer = FakeSynthesizer(clock=clock, delay_ms=4000)
    hears, fillers = (Hears("tuesday", delay_ms=9000),), (Line("One moment."),)
    async with offering(asks("Which?"), hears=hears, synthesizer=synthesizer, fillers=fillers, clock=clock) as call:
        await call.passes(4000)
        await call.answered()
        filler_ready = call.audio.position_ms + 4000
        await call.until_silent()
        await call.speaks(600)
        await call.audio.advance_until(lambda: not call.silent)
        assert 0 <= call.audio.position_ms - filler_ready <= 120


# --- timings ------------------------------------------------------------------------------------------------


async def test_stages_of_a_turn_add_up_to_its_response_time() -> None:
    clock = FakeClock()
    synthesizer = FakeSynthesizer(clock=clock, delay_ms=80)
    hears = (Hears("tuesday", delay_ms=140),)
    async with talking(asks("Which day?"), says("Fine."), hears=hears, synthesizer=synthesizer, clock=clock) as call:
        await call.audio.advance_until(lambda: not call.silent)
        await call.until_silent()
        await call.speaks(600)
        spoken_until = call.audio.position
        await call.until_over()
        timings = call.log.turns[1].timings
        stages = (timings.endpoint_ms, timings.asr_ms, timings.tts_ms, timings.playout_ms)
        assert all(stage is not None for stage in stages)
        assert sum(stage or 0 for stage in stages) == timings.response_ms
        assert timings.response_ms == (call.audio.played[-1].position - spoken_until) // 8
        assert timings.asr_ms == 140
        assert timings.tts_ms == 80
        assert timings.llm_ms is None
        assert timings.barge_in_ms is None
        moments = call.log.turns[1].moments
        assert (moments.last_speech_at_ms, moments.first_token_at_ms) == (spoken_until // 8, None)
        assert moments.first_sound_at_ms == call.audio.played[-1].position // 8
        assert moments.final_at_ms == spoken_until // 8 + (timings.endpoint_ms or 0) + 140


async def test_reply_begins_within_60_ms_of_the_endpoint_when_the_engines_are_ready() -> None:
    async with talking(asks("Which day?"), says("Fine."), hears=("tuesday",)) as call:
        await call.until_silent()
        await call.speaks(600)
        await call.until_over()
        assert call.log.turns[1].timings.response_ms is not None
        assert call.log.turns[1].timings.response_ms <= 450 + 60


async def test_greeting_is_timed_from_the_answer() -> None:
    async with talking(asks("Good morning."), says("Bye.")) as call:
        await call.until_silent()
        await call.hang_up()
        assert call.log.turns[0].timings.response_ms is not None
        assert call.log.turns[0].timings.response_ms <= 40


async def test_turn_after_silence_has_no_response_time() -> None:
    async with talking(asks("Which day?", no_input_ms=1000), says("Goodbye.")) as call:
        await call.until_over()
        assert call.log.turns[1].timings.response_ms is None


# --- lines --------------------------------------------------------------------------------------------------


async def test_next_sentence_is_synthesised_while_one_plays_and_no_further() -> None:
    lines = (Line("One two three. Four five six. Seven eight nine. Ten."),)
    async with talking(Step(lines, Listen("day", AnswerKind.DAY))) as call:
        await call.passes(200)
        assert call.synthesizer.texts == ["One two three.", "Four five six."]
        await call.passes(500)
        assert call.synthesizer.texts[-1] == "Seven eight nine."
        await call.until_silent()
        assert len(call.audio.played) == 1, "there is no gap between the sentences"
