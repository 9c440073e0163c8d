"""Endpointing in samples at 8 kHz; 1 ms is 8 samples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.conversation.caller_turn import endpointer_for
from parley.conversation.endpointing import Decision, Endpointer
from parley.conversation.flow.step import AnswerKind, Listen
from parley.conversation.settings import EndpointSettings

MS = 8


def endpointer() -> Endpointer:
    return Endpointer(patience=450 * MS, min_speech=120 * MS, max_speech=15_000 * MS)


def test_nothing_is_decided_before_anything_was_heard() -> None:
    assert endpointer().decide_at is None
    assert endpointer().decide(10**9) is Decision.GOES_ON


def test_caller_silence_shorter_than_the_patience_keeps_the_turn() -> None:
    turn = endpointer()
    turn.speech_started(1000 * MS)
    turn.speech_stopped(1500 * MS)
    assert turn.decide_at == 1950 * MS
    assert turn.decide(1949 * MS) is Decision.GOES_ON


def test_caller_silence_as_long_as_the_patience_ends_the_turn_at_the_last_speech_sample() -> None:
    turn = endpointer()
    turn.speech_started(1000 * MS)
    turn.speech_stopped(1500 * MS)
    assert turn.decide(1950 * MS) is Decision.OVER
    assert (turn.first_speech, turn.last_speech) == (1000 * MS, 1500 * MS)


def test_speech_after_a_pause_puts_the_decision_off() -> None:
    turn = endpointer()
    turn.speech_started(1000 * MS)
    turn.speech_stopped(1500 * MS)
    turn.speech_started(1800 * MS)
    assert turn.decide(1950 * MS) is Decision.GOES_ON
    turn.speech_stopped(2400 * MS)
    assert turn.decide_at == 2850 * MS


def test_short_sound_before_silence_is_noise() -> None:
    turn = endpointer()
    turn.speech_started(1000 * MS)
    turn.speech_stopped(1100 * MS)
    assert turn.decide(turn.decide_at or 0) is Decision.NOISE


def test_short_sound_before_speech_belongs_to_the_turn() -> None:
    turn = endpointer()
    turn.speech_started(1000 * MS)
    turn.speech_stopped(1100 * MS)
    turn.speech_started(1200 * MS)
    turn.speech_stopped(1700 * MS)
    assert turn.decide(2150 * MS) is Decision.OVER
    assert turn.first_speech == 1000 * MS


def test_short_sound_after_speech_does_not_prolong_the_turn() -> None:
    turn = endpointer()
    turn.speech_started(1000 * MS)
    turn.speech_stopped(1500 * MS)
    turn.speech_started(1850 * MS)
    turn.speech_stopped(1900 * MS)
    assert turn.decide(1950 * MS) is Decision.OVER
    assert turn.last_speech == 1500 * MS


def test_endless_speech_is_cut_off() -> None:
    turn = endpointer()
    turn.speech_started(1000 * MS)
    assert turn.decide_at == 16_000 * MS
    assert turn.decide(16_000 * MS) is Decision.TOO_LONG
    assert turn.last_speech == 16_000 * MS


def test_speech_after_the_endpoint_reopens_the_turn() -> None:
    turn = endpointer()
    turn.speech_started(1000 * MS)
    turn.speech_stopped(1500 * MS)
    assert turn.decide(1950 * MS) is Decision.OVER
    turn.speech_started(2000 * MS)
    assert turn.decide(2100 * MS) is Decision.GOES_ON


def test_stop_without_a_start_is_ignored() -> None:
    turn = endpointer()
    turn.speech_stopped(1000 * MS)
    assert turn.decide_at is None


@pytest.mark.parametrize("kind", AnswerKind)
@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_every_kind_of_answer_has_its_patience_at_every_rate(kind: AnswerKind, rate_hz: int) -> None:
    settings = EndpointSettings()
    turn = endpointer_for(Listen("node", kind), settings, rate_hz)
    turn.speech_started(0)
    turn.speech_stopped(rate_hz)
    assert turn.decide_at == rate_hz + settings.patience_ms[kind] * rate_hz // 1000


@given(st.lists(st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)), min_size=1, max_size=20))
def test_turn_is_never_over_while_the_caller_speaks_or_pauses_shortly(bursts: list[tuple[int, int]]) -> None:
    turn = Endpointer(patience=3600, min_speech=960, max_speech=10**9)
    position = 0
    for pause, length in bursts:
        position += min(pause, 3599)
        turn.speech_started(position)
        assert turn.decide(position + length - 1) is Decision.GOES_ON
        position += length
        turn.speech_stopped(position)
    spoke = any(length >= 960 for _, length in bursts)
    assert turn.decide(position + 3600) is (Decision.OVER if spoke else Decision.NOISE)
