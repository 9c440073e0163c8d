"""Callers who put the agent on hold: nothing is asked of them, nothing of the hold is heard, nothing is lost."""

import pytest

from parley.conversation.flow.step import KeyPlan
from parley.conversation.record import EndReason
from parley.conversation.settings import DialogueSettings
from tests.conversation.phone_call import QUEUE, asks, says, talking
from tests.fakes.clock import FakeClock
from tests.fakes.recognizer import Hears


async def test_agent_falls_silent_and_goes_on_with_the_sentence_that_was_cut() -> None:
    async with talking(asks("One two. Three four five six.")) as call:
        await call.passes(900)
        await call.holds()
        await call.passes(60)
        assert call.silent
        await call.passes(5000)
        assert call.silent
        await call.retrieves()
        await call.until_silent()
        await call.hang_up()
        assert call.heard == ["One two. Three four five six."]
        assert call.told == []


async def test_question_is_asked_again_after_a_hold_and_silence_counts_from_then_on() -> None:
    async with talking(asks("Which day?", no_input_ms=3000), asks("Which day, please?"), says("Bye.")) as call:
        await call.until_silent()
        await call.passes(2000)
        await call.holds()
        await call.passes(60_000)
        assert call.told == []
        await call.retrieves()
        await call.until_silent()
        assert call.told == ["repeat"]
        await call.passes(2900)
        assert call.told == ["repeat"]
        await call.passes(200)
        assert call.told == ["repeat", "silence"]
        assert [note.kind for note in call.log.notes] == ["held", "retrieved", "silence"]


async def test_music_and_keys_of_a_hold_are_no_answer() -> None:
    async with talking(asks("Which day?", keys=KeyPlan()), asks("Which day?"), hears=("music",)) as call:
        await call.until_silent()
        await call.holds()
        await call.speaks(4000, pause_ms=2000)
        call.session.press("1")
        await call.passes(1000)
        assert call.told == []
        assert call.recognizer.open == call.recognizer.finished == 0


async def test_music_that_ends_with_the_hold_is_no_answer() -> None:
    async with talking(asks("Which day?"), asks("Which day?"), says("Bye."), hears=("tuesday",)) as call:
        await call.until_silent()
        await call.holds()
        start = call.audio.position_ms
        call.audio.caller_speaks(start, start + 3000)
        await call.passes(2980)
        await call.retrieves()
        await call.passes(1500)
        assert call.told == ["repeat"]
        await call.speaks(500)
        await call.until_over()
        assert call.told == ["repeat", "tuesday"]


async def test_answer_that_was_given_before_the_hold_is_used_after_it() -> None:
    clock = FakeClock()
    slow = (Hears("tuesday", delay_ms=800),)
    async with talking(asks("Which day?"), says("Tuesday it is."), hears=slow, clock=clock) as call:
        await call.until_silent()
        await call.speaks(500, pause_ms=700)
        await call.holds()
        await call.passes(5000)
        assert call.told == []
        await call.retrieves()
        await call.until_over()
        assert call.told == ["tuesday"]
        assert call.heard[-1] == "Tuesday it is."


async def test_answer_that_a_hold_cuts_is_asked_for_again() -> None:
    async with talking(asks("Which day?"), asks("Which day?")) as call:
        await call.until_silent()
        await call.speaks(400)
        await call.holds()
        assert call.recognizer.open == 0
        await call.passes(1000)
        await call.retrieves()
        await call.until_silent()
        assert call.told == ["repeat"]


async def test_farewell_is_finished_and_carried_out_after_the_hold() -> None:
    async with talking(says("I put you through to sales.", QUEUE)) as call:
        await call.passes(700)
        await call.holds()
        await call.passes(20_000)
        assert not call.over
        await call.retrieves()
        end = await call.until_over()
        assert (end.reason, end.then) == (EndReason.TRANSFERRED, QUEUE)
        assert call.heard == ["I put you through to sales."]


async def test_hold_right_behind_the_last_word_delays_the_transfer() -> None:
    async with talking(says("One moment.", QUEUE)) as call:
        await call.until_silent()
        await call.holds()
        await call.passes(20_000)
        assert not call.over
        await call.retrieves()
        assert (await call.until_over()).then == QUEUE


async def test_hold_without_end_goes_to_the_fallback_queue() -> None:
    async with talking(asks("Which day?"), settings=DialogueSettings(max_hold_ms=60_000)) as call:
        await call.until_silent()
        await call.holds()
        await call.passes(59_900)
        assert not call.over
        await call.passes(200)
        end = call.running.result()
        assert (end.reason, end.then) == (EndReason.LEFT_ON_HOLD, None)


async def test_each_hold_has_its_own_patience() -> None:
    async with talking(asks("Which day?"), settings=DialogueSettings(max_hold_ms=60_000)) as call:
        await call.until_silent()
        for _ in range(3):
            await call.holds()
            await call.passes(40_000)
            await call.retrieves()
            await call.until_silent()
        assert not call.over


@pytest.mark.parametrize("times", [1, 2])
async def test_hold_and_retrieval_told_twice_count_once(times: int) -> None:
    async with talking(asks("Which day?"), asks("Which day?")) as call:
        await call.until_silent()
        for _ in range(times):
            await call.holds()
        for _ in range(times):
            await call.retrieves()
        await call.until_silent()
        assert call.told == ["repeat"]


# --- another party takes the caller's place ------------------------------------------------------------------


async def test_new_party_is_asked_the_open_question() -> None:
    async with talking(asks("Which day?"), asks("Which day?"), says("Bye."), hears=("tuesday",)) as call:
        await call.until_silent()
        await call.is_replaced()
        await call.until_silent()
        assert call.told == ["repeat"]
        await call.speaks(500)
        await call.until_over()
        assert call.told == ["repeat", "tuesday"]
        [note] = call.log.notes[-1:]
        assert (note.kind, dict(note.details)) == ("party_replaced", {"leg_id": "leg-2"})


async def test_new_party_is_not_held_by_the_hold_of_the_one_who_went() -> None:
    async with talking(asks("Which day?"), asks("Which day?")) as call:
        await call.until_silent()
        await call.holds()
        await call.passes(10_000)
        await call.is_replaced()
        await call.until_silent()
        assert call.told == ["repeat"]


async def test_sentence_that_a_transfer_cuts_is_replaced_by_the_question() -> None:
    async with talking(asks("One two three four five six. Which day?"), asks("Which day?")) as call:
        await call.passes(700)
        await call.is_replaced()
        await call.until_silent()
        assert call.told == ["repeat"]
        await call.hang_up()
        assert call.heard == ["One two three", "Which day?"]


async def test_what_the_one_who_went_was_saying_is_forgotten() -> None:
    clock = FakeClock()
    slow = (Hears("tuesday", delay_ms=800),)
    async with talking(asks("Which day?"), asks("Which day?"), hears=slow, clock=clock) as call:
        await call.until_silent()
        await call.speaks(500, pause_ms=700)
        await call.is_replaced()
        await call.passes(2000)
        assert call.told == ["repeat"]


async def test_farewell_is_finished_for_the_new_party() -> None:
    async with talking(says("I put you through to sales.", QUEUE)) as call:
        await call.passes(700)
        await call.is_replaced()
        assert (await call.until_over()).then == QUEUE
        assert call.heard == ["I put you through to sales."]


async def test_caller_who_hangs_up_on_hold_has_hung_up() -> None:
    async with talking(asks("Which day?")) as call:
        await call.holds()
        assert (await call.hang_up()).reason is EndReason.CALLER_HUNG_UP
