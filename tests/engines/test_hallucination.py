"""What Whisper made up is refused, what callers say is kept."""

from __future__ import annotations

import math

import pytest

from parley.engines.hallucination import Guards, Sound, confidence
from tests.fakes.transcriber import passage

CLEAR = Sound(sound_ms=600, peak_dbfs=-20.0)
FAINT = Sound(sound_ms=600, peak_dbfs=-47.0)
SHORT = Sound(sound_ms=100, peak_dbfs=-20.0)
GUARDS = Guards()


@pytest.mark.parametrize(
    "text", ["yes please", "thank you", "Bye.", "you", "谢谢", "four seven one", "Music.", "silence"]
)
def test_clear_answers_are_kept(text: str) -> None:
    assert GUARDS.credible(passage(text), CLEAR)


@pytest.mark.parametrize("sound", [CLEAR, FAINT, SHORT])
@pytest.mark.parametrize(
    "text", ["Thanks for watching!", "thank you for watching", "[Music]", " (silence).", "[MUSIC]", "谢谢观看。"]
)
def test_what_nobody_says_on_the_telephone_is_refused_however_clear_the_sound(text: str, sound: Sound) -> None:
    assert not GUARDS.credible(passage(text), sound)


@pytest.mark.parametrize("sound", [FAINT, SHORT])
@pytest.mark.parametrize("text", ["Thank you.", "You", "Bye-bye.", "嗯", "Music"])
def test_doubtful_phrases_are_refused_in_near_silence(text: str, sound: Sound) -> None:
    assert not GUARDS.credible(passage(text), sound)


def test_doubtful_phrases_are_refused_where_the_model_doubts_that_anybody_spoke() -> None:
    assert not GUARDS.credible(passage("thank you", no_speech_probability=0.4), CLEAR)
    assert GUARDS.credible(passage("thank you", no_speech_probability=0.2), CLEAR)
    assert GUARDS.credible(passage("to a person please", no_speech_probability=0.4), CLEAR)


def test_quiet_callers_are_understood_where_the_model_is_sure() -> None:
    assert GUARDS.credible(passage("to a person please"), FAINT)
    assert not GUARDS.credible(passage("to a person please", no_speech_probability=0.4), FAINT)


@pytest.mark.parametrize(
    "figure", [{"no_speech_probability": 0.7}, {"mean_log_probability": -1.2}, {"compression_ratio": 3.0}]
)
def test_each_figure_beyond_its_threshold_refuses_alone(figure: dict[str, float]) -> None:
    assert not GUARDS.credible(passage("some words", **figure), CLEAR)


@pytest.mark.parametrize("text", ["", " ", "...", "♪"])
def test_passage_without_words_is_refused(text: str) -> None:
    assert not GUARDS.credible(passage(text), CLEAR)


def test_clicks_and_silence_are_not_worth_decoding() -> None:
    assert not GUARDS.worth_decoding(Sound(0, -100.0))
    assert not GUARDS.worth_decoding(Sound(40, -10.0))
    assert GUARDS.worth_decoding(Sound(120, -30.0))


def test_confidence_is_that_of_the_words_and_else_of_the_tokens() -> None:
    assert confidence([passage("yes please")]) == pytest.approx(0.9)
    assert confidence([passage("", mean_log_probability=math.log(0.5))]) == pytest.approx(0.5)
    assert confidence([]) == 0.0
