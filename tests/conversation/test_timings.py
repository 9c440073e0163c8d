"""Stages of a turn from positions."""

from hypothesis import given
from hypothesis import strategies as st

from parley.conversation.record import TurnMoments, TurnTimings
from parley.conversation.timings import TurnTimeline


def test_stages_are_measured_between_their_positions() -> None:
    timeline = TurnTimeline(
        8000, began=80_000, decided=83_600, final=83_760, speech_ready=84_160, first_sound=84_240, interrupting=70_000
    )
    timeline.cleared = 71_920
    assert timeline.timings() == TurnTimings(
        endpoint_ms=450, asr_ms=20, tts_ms=50, playout_ms=10, response_ms=530, barge_in_ms=240
    )


def test_stage_that_did_not_occur_is_left_out_of_the_sum() -> None:
    timings = TurnTimeline(8000, began=8000, decided=8800, speech_ready=9600, first_sound=9760).timings()
    assert (timings.endpoint_ms, timings.asr_ms, timings.tts_ms, timings.playout_ms) == (100, None, 100, 20)
    assert timings.response_ms == 220


def test_turn_without_a_reply_has_no_response_time() -> None:
    assert TurnTimeline(8000, began=8000, decided=8800).timings().response_ms is None


def test_speech_that_was_ready_before_the_answer_takes_no_time() -> None:
    timings = TurnTimeline(8000, began=8000, speech_ready=800, first_sound=8160).timings()
    assert (timings.tts_ms, timings.playout_ms, timings.response_ms) == (0, 20, 20)


@given(st.integers(0, 10**7), st.lists(st.integers(0, 10**5), min_size=5, max_size=5), st.sampled_from([8000, 16000]))
def test_stages_add_up_exactly_whatever_the_positions(began: int, steps: list[int], rate_hz: int) -> None:
    decided = began + steps[0]
    final = decided + steps[1]
    token = final + steps[2]
    ready = token + steps[3]
    timings = TurnTimeline(rate_hz, began, decided, final, token, ready, ready + steps[4]).timings()
    stages = (timings.endpoint_ms, timings.asr_ms, timings.llm_ms, timings.tts_ms, timings.playout_ms)
    assert sum(stage or 0 for stage in stages) == timings.response_ms


def test_moments_stand_where_they_were_reached_in_whatever_order() -> None:
    timeline = TurnTimeline(8000, began=8000, decided=12_000, first_token=11_200, speech_ready=11_600)
    assert timeline.moments() == TurnMoments(
        last_speech_at_ms=1000, endpoint_at_ms=1500, first_token_at_ms=1400, speech_ready_at_ms=1450
    )


def test_reply_begun_on_a_likely_end_of_turn_takes_no_time_of_its_own() -> None:
    timeline = TurnTimeline(8000, began=8000, decided=12_000, final=12_080, first_token=11_200)
    timeline.speech_ready, timeline.first_sound = 12_400, 12_480
    timings = timeline.timings()
    assert (timings.llm_ms, timings.tts_ms, timings.response_ms) == (0, 40, 560)
