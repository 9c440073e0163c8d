from dataclasses import dataclass, field

import pytest

from tests.support.recording import Recording, silence, tone
from tests.support.silence import Stretch, longest_silence


@dataclass
class Call:
    """A call dialled at 100 s, ringing from 101 s, answered at 103 s, over at 120 s."""

    created_at: float = 100.0
    rung_at: float | None = 101.0
    answered_at: float | None = 103.0
    ended_at: float | None = 120.0
    heard: Recording = field(default_factory=Recording)


def call_that_heard(*stretches: tuple[float, float]) -> Call:
    call = Call()
    call.heard.write(103.0, silence(17.0))
    for start_s, end_s in stretches:
        call.heard.write(start_s, tone(400, end_s - start_s, amplitude=400))
    return call


def test_silence_is_what_lies_between_two_sounds() -> None:
    found = longest_silence(call_that_heard((103.5, 108.0), (111.0, 119.0)))
    assert found.start_s == pytest.approx(108.0, abs=0.02)
    assert found.end_s == pytest.approx(111.0, abs=0.02)


def test_line_that_falls_silent_is_silent_until_the_call_ends() -> None:
    assert longest_silence(call_that_heard((103.0, 105.0))).length_s == pytest.approx(15.0, abs=0.02)


def test_digital_silence_and_no_packets_at_all_are_the_same() -> None:
    call = Call()
    assert longest_silence(call).length_s == pytest.approx(17.0)


def test_ringing_is_sound_until_the_answer() -> None:
    call = call_that_heard((103.0, 120.0))
    assert longest_silence(call).length_s == pytest.approx(1.0)
    call.rung_at = None
    assert longest_silence(call).length_s == pytest.approx(3.0)


def test_call_that_rings_for_ever_is_judged_until_it_is_given_up() -> None:
    call = Call(answered_at=None)
    assert longest_silence(call).length_s == pytest.approx(1.0)


def test_callers_own_turn_is_left_out_and_silence_counts_from_its_end() -> None:
    call = call_that_heard((103.0, 106.0), (112.0, 120.0))
    assert longest_silence(call, [Stretch(106.0, 109.5)]).length_s == pytest.approx(2.5, abs=0.02)


def test_click_is_no_sound_and_neither_is_what_nobody_can_hear() -> None:
    call = call_that_heard((103.0, 104.0), (110.0, 110.04), (119.0, 120.0))
    call.heard.write(106.0, tone(400, 2.0, amplitude=12))
    assert longest_silence(call).length_s == pytest.approx(15.0, abs=0.02)


def test_turn_that_would_hide_silence_is_refused() -> None:
    with pytest.raises(ValueError, match="hide silence"):
        longest_silence(call_that_heard(), [Stretch(104.0, 115.0)])


def test_call_that_goes_on_is_judged_until_the_moment_named() -> None:
    call = call_that_heard((103.0, 105.0))
    call.ended_at = None
    with pytest.raises(ValueError, match="goes on"):
        longest_silence(call)
    assert longest_silence(call, until_s=109.0).length_s == pytest.approx(4.0, abs=0.02)
