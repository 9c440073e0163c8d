"""The caller speaks over the agent: who yields, and what the history holds afterwards."""

import pytest

from parley.conversation.flow.step import AnswerKind, KeyPlan, Line, Listen, Step
from parley.conversation.ports import SpeechStarted, SpeechStopped
from tests.conversation.phone_call import PhoneCall, asks, says, talking
from tests.fakes.clock import FakeClock
from tests.fakes.recognizer import Hears
from tests.fakes.synthesizer import FakeSynthesizer

PROMPT = "One two three four five. Six seven eight nine ten."
"""Two sentences of 1,000 ms each at 200 ms per word."""


async def barge_in_at(call: PhoneCall, ms: int, length_ms: int = 900) -> int:
    """Let the caller speak from `ms` on the session clock; returns the position at which the agent was cleared."""
    await call.passes(ms - call.audio.position_ms)
    await call.speaks(length_ms)
    return call.audio.cleared_at[0]


@pytest.mark.parametrize(
    ("at_ms", "heard"),
    [
        (100, "One two"),
        (300, "One two"),
        (700, "One two three four"),
        (900, "One two three four five."),
        (1300, "One two three four five. Six seven"),
        (1700, "One two three four five. Six seven eight nine"),
    ],
)
async def test_history_is_cut_to_the_words_heard_before_the_agent_fell_silent(at_ms: int, heard: str) -> None:
    async with talking(asks(PROMPT), says("Fine."), hears=("sales",)) as call:
        await barge_in_at(call, at_ms)
        await call.until_over()
        assert call.heard[0] == heard
        assert call.log.turns[0].agent_heard == heard
        assert call.log.turns[0].agent_text == PROMPT
        assert call.log.turns[1].interrupted_agent
        assert call.told == ["sales"]


@pytest.mark.parametrize("at_ms", [100, 440, 800, 1500])
async def test_agent_is_cleared_within_260_ms_of_the_first_sample_of_the_callers_voice(at_ms: int) -> None:
    async with talking(asks(PROMPT), says("Fine."), hears=("sales",)) as call:
        cleared_at = await barge_in_at(call, at_ms)
        assert cleared_at // 8 - at_ms <= 260
        await call.until_over()
        assert call.log.turns[1].timings.barge_in_ms == cleared_at // 8 - at_ms


async def test_word_times_of_the_engine_decide_what_was_heard() -> None:
    synthesizer = FakeSynthesizer(align=True)
    async with talking(asks("A extraordinarily b c d e."), says("Fine."), synthesizer=synthesizer) as call:
        await barge_in_at(call, 260)
        await call.until_over()
        assert call.heard[0] == "A extraordinarily"


async def test_barge_in_in_the_gap_between_sentences_stops_the_rest() -> None:
    clock = FakeClock()
    synthesizer = FakeSynthesizer(clock=clock, delay_ms=3000, ms_per_word=100)
    async with talking(asks(PROMPT), says("Fine."), hears=("sales",), synthesizer=synthesizer, clock=clock) as call:
        await call.audio.advance_until(lambda: not call.silent)
        await call.until_silent()
        await call.passes(600)
        await call.speaks(900, pause_ms=500)
        assert call.told == ["sales"]
        assert call.heard == ["One two three four five."]


async def test_speech_that_begins_at_the_last_word_is_an_answer_and_no_interruption() -> None:
    async with talking(asks("One two three."), says("Fine."), hears=("sales",)) as call:
        await call.passes(520)
        await call.speaks(700)
        await call.until_over()
        assert call.heard[0] == "One two three."
        assert not call.log.turns[1].interrupted_agent
        assert call.told == ["sales"]


async def test_recogniser_gets_the_interruption_from_before_its_first_sample() -> None:
    async with talking(asks(PROMPT), says("Fine."), hears=("sales",)) as call:
        await barge_in_at(call, 600, length_ms=600)
        await call.until_over()
        pcm = bytes(call.recognizer.audio[0])
        first = next(i for i in range(0, len(pcm), 2) if pcm[i : i + 2] != b"\0\0") // 2
        assert first >= 240 * 8, "pre-roll"
        assert len(pcm.strip(b"\0")) >= 600 * 8 * 2 - 2, "every sample of the caller's voice"


async def test_short_sound_over_the_agent_does_not_stop_it() -> None:
    async with talking(asks(PROMPT), says("Fine.")) as call:
        await call.passes(500)
        await call.speaks(120)
        await call.until_silent()
        assert call.audio.cleared_at == []
        assert call.told == []
        await call.hang_up()
        assert call.heard == [PROMPT]


async def test_detectors_hangover_does_not_make_a_short_sound_an_interruption() -> None:
    """80 ms of voice are reported as ended 140 ms later, when they would long have counted as 160."""
    async with talking(asks(PROMPT), says("Fine.")) as call:
        await call.passes(480)
        await call.speaks(80, pause_ms=500)
        assert call.audio.cleared_at == []


async def test_interruption_that_means_nothing_lets_the_agent_go_on_at_the_word_that_was_cut() -> None:
    synthesizer = FakeSynthesizer(align=True)
    async with talking(asks(PROMPT), says("Fine."), hears=(Hears("", rejected=True),), synthesizer=synthesizer) as call:
        cleared_at = await barge_in_at(call, 1200, length_ms=300)
        await call.until_silent()
        played = call.audio.played_samples
        await call.passes(1000)
        await call.until_silent()
        assert call.told == []
        assert (cleared_at - 8000) // 1600 == 1, "in the second word of the second sentence"
        assert call.audio.played_samples - played == 4 * 1600, "seven eight nine ten"
        await call.hang_up()
        assert call.heard == [PROMPT]


@pytest.mark.parametrize(("align", "heard"), [(True, "Six"), (False, "Six seven")])
async def test_words_heard_before_a_false_alarm_stay_heard_when_the_caller_hangs_up_behind_it(
    align: bool, heard: str
) -> None:
    synthesizer = FakeSynthesizer(align=align)
    hears = (Hears("", rejected=True),)
    async with talking(asks(PROMPT), says("Fine."), hears=hears, synthesizer=synthesizer) as call:
        await barge_in_at(call, 1200, length_ms=300)
        await call.audio.advance_until(lambda: not call.silent)
        await call.hang_up()
        assert call.heard == [f"One two three four five. {heard}"]


async def test_second_false_alarm_right_behind_the_first_loses_no_word() -> None:
    synthesizer = FakeSynthesizer(align=True)
    async with talking(
        asks(PROMPT), says("Fine."), hears=("uh-huh", "mm-hm", "sales"), synthesizer=synthesizer
    ) as call:
        await barge_in_at(call, 600, length_ms=300)
        for length_ms in (300, 900):
            await call.audio.advance_until(lambda: not call.silent)
            await call.passes(100)
            await call.speaks(length_ms)
        await call.until_over()
        assert call.told == ["sales"]
        assert PROMPT.startswith(call.heard[0])
        assert call.heard[0].startswith("One two three four")


@pytest.mark.parametrize("word", ["uh-huh", "Mm-hm.", "yeah", "okay, right"])
async def test_backchannels_do_not_keep_the_agent_from_saying_all_it_has_to_say(word: str) -> None:
    lines = (Line("One two three four five six seven eight."), Line("Which day?"))
    step = Step(lines, Listen("day", AnswerKind.YES_NO))
    async with talking(step, says("Fine."), hears=(word, word, "tuesday")) as call:
        for _ in range(2):
            await call.audio.advance_until(lambda: not call.silent)
            await call.passes(100)
            await call.speaks(400)
        await call.audio.advance_until(lambda: not call.silent)
        await call.until_silent()
        assert len(call.audio.cleared_at) == 2
        assert call.told == []
        await call.speaks(500)
        await call.until_over()
        assert call.told == ["tuesday"]
        assert call.heard[0] == "One two three four five six seven eight. Which day?"
        assert not call.log.turns[1].interrupted_agent


async def test_agreement_over_the_question_itself_is_an_answer_and_a_murmur_is_none() -> None:
    step = Step((Line("Shall I book it now for you?"),), Listen("book", AnswerKind.YES_NO))
    async with talking(step, says("Fine."), hears=("uh-huh", "yeah")) as call:
        for _ in range(2):
            await call.audio.advance_until(lambda: not call.silent)
            await call.passes(200)
            await call.speaks(400)
        await call.until_over()
        assert call.told == ["yeah"]


async def test_agent_goes_on_when_the_detector_takes_the_interruption_back() -> None:
    """The voice's end is reported so early that there was no speech at all."""
    async with talking(asks(PROMPT), says("Fine.")) as call:
        await call.passes(400)
        call.audio.emit(SpeechStarted(400 * 8))
        await call.passes(300)
        assert call.audio.cleared_at
        call.audio.emit(SpeechStopped(480 * 8))
        await call.passes(500)
        await call.until_silent()
        assert call.told == []
        await call.hang_up()
        assert call.heard == [PROMPT]


async def test_words_cut_off_stay_cut_when_a_filler_is_said_afterwards() -> None:
    hears = (Hears("sales", delay_ms=2000),)
    fillers = (Line("One moment please, I am looking."),)
    async with talking(asks(PROMPT), says("Fine."), hears=hears, fillers=fillers) as call:
        await barge_in_at(call, 300)
        await call.until_over()
        assert call.heard == ["One two", "One moment please, I am looking. Fine."]


async def test_second_meaningless_interruption_is_told_to_the_script() -> None:
    async with talking(asks(PROMPT), says("Fine."), hears=(Hears(rejected=True), Hears(rejected=True))) as call:
        await barge_in_at(call, 300, length_ms=300)
        await call.audio.advance_until(lambda: not call.silent)
        await call.passes(300)
        await call.speaks(300)
        await call.until_over()
        assert call.told == [""]


async def test_long_interruption_that_was_not_understood_is_told_to_the_script() -> None:
    async with talking(asks(PROMPT), says("Fine."), hears=(Hears(rejected=True),)) as call:
        await barge_in_at(call, 300, length_ms=1200)
        await call.until_over()
        assert call.told == [""]
        assert call.log.turns[1].rejected


# --- uninterruptible lines ----------------------------------------------------------------------------------


async def test_uninterruptible_line_is_played_to_its_end() -> None:
    async with talking(asks(PROMPT, interruptible=False, no_input_ms=1000), says("Fine.")) as call:
        await call.passes(300)
        await call.speaks(500)
        await call.until_silent()
        assert call.audio.cleared_at == []
        await call.until_over()
        assert call.heard[0] == PROMPT
        assert call.told == ["silence"], "words wholly under the line are no answer"


async def test_speech_that_outlasts_an_uninterruptible_line_is_an_answer_from_its_first_sample() -> None:
    async with talking(asks("One two three.", interruptible=False), says("Fine."), hears=("sales",)) as call:
        await call.passes(300)
        await call.speaks(1000)
        await call.until_over()
        assert call.told == ["sales"]
        assert len(bytes(call.recognizer.audio[0]).strip(b"\0")) >= 1000 * 8 * 2 - 2
        assert call.heard[0] == "One two three."


async def test_speech_that_goes_on_into_an_interruptible_line_stops_it_at_once() -> None:
    lines = (Line("One two three.", interruptible=False), Line("Four five six seven eight."))
    async with talking(Step(lines, Listen("day", AnswerKind.CHOICE)), says("Fine."), hears=("sales",)) as call:
        await call.passes(300)
        await call.speaks(1000)
        await call.until_over()
        assert call.heard[0] == "One two three."
        assert call.told == ["sales"]


async def test_speech_that_ended_under_an_uninterruptible_line_does_not_stop_the_next_one() -> None:
    lines = (Line("One two three.", interruptible=False), Line("Four five six seven eight."))
    async with talking(Step(lines, Listen("day", AnswerKind.CHOICE)), says("Fine."), hears=("hello",)) as call:
        await call.passes(40)
        await call.speaks(240)
        await call.until_silent()
        assert call.audio.cleared_at == []
        assert call.told == []


# --- keys ---------------------------------------------------------------------------------------------------


async def test_key_stops_the_prompt_at_once() -> None:
    async with talking(asks(PROMPT, keys=KeyPlan()), says("Fine.")) as call:
        await call.passes(500)
        call.session.press("1")
        await call.passes(20)
        assert call.told == ["1"]
        assert call.audio.cleared_at == [500 * 8]
        await call.until_over()
        assert call.heard[0] == "One two"
        assert call.log.turns[1].caller_keys == "1"
        assert call.log.turns[1].interrupted_agent


async def test_key_during_an_uninterruptible_line_counts_when_the_line_is_over() -> None:
    async with talking(asks("One two three.", keys=KeyPlan(), interruptible=False), says("Fine.")) as call:
        await call.passes(300)
        call.session.press("1")
        await call.passes(200)
        assert call.told == []
        await call.until_over()
        assert call.heard[0] == "One two three."
        assert call.told == ["1"]


async def test_key_that_nobody_asked_for_does_not_stop_the_prompt() -> None:
    async with talking(asks(PROMPT), says("Fine.")) as call:
        await call.passes(500)
        call.session.press("1")
        await call.until_silent()
        assert call.audio.cleared_at == []
        assert call.told == []


async def test_key_wins_over_speech_that_is_going_on() -> None:
    async with talking(asks("Which?", keys=KeyPlan()), says("Fine."), hears=("noise",)) as call:
        await call.until_silent()
        start = call.audio.position_ms
        call.audio.caller_speaks(start, start + 1000)
        await call.passes(500)
        call.audio.presses("2")
        await call.until_over()
        assert call.told == ["2"]
        assert call.recognizer.finished == 0


async def test_key_entry_ends_with_its_terminator_its_length_or_a_pause() -> None:
    plan = KeyPlan(min_digits=1, max_digits=4, inter_digit_ms=2000)
    async with talking(*[asks("Your number?", keys=plan)] * 3, says("Fine.")) as call:
        await call.until_silent()
        for key in ("1", "2", "#", "1", "2", "3", "4", "5", "6"):
            call.session.press(key)
            await call.passes(100)
        assert call.told == ["12", "1234"]
        await call.passes(1800)
        assert call.told == ["12", "1234"]
        await call.passes(200)
        assert call.told == ["12", "1234", "56"]


async def test_silence_is_not_prompted_while_keys_are_being_entered() -> None:
    plan = KeyPlan(max_digits=4, inter_digit_ms=5000)
    async with talking(asks("Your number?", keys=plan, no_input_ms=1000), says("Fine.")) as call:
        await call.until_silent()
        call.session.press("1")
        await call.passes(4500)
        assert call.told == []
        await call.passes(600)
        assert call.told == ["1"]
