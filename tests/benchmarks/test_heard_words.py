"""The judge of interrupted utterances, on recordings that are known."""

import numpy as np
import pytest

from benchmarks.heard_words import ToneWords, judge, length_ms, tones_ms
from tests.support.phone_codec import Samples

TEXT = "your appointment is on Thursday."


def recorded(cut_ms: int | None = None) -> Samples:
    """Return the utterance with silence around, cut after so many ms."""
    pcm = ToneWords(TEXT, 8000).pcm
    kept = pcm if cut_ms is None else pcm[: cut_ms * 16]
    return np.frombuffer(bytes(1600) + kept + bytes(3200), dtype="<i2").astype(np.int16)


def end_ms(words: int) -> int:
    return sum(length_ms(word) for word in TEXT.rstrip(".").split()[:words])


def test_tones_are_measured_as_long_as_their_words() -> None:
    for word, ms in zip(TEXT.rstrip(".").split(), tones_ms(recorded(), 5), strict=True):
        assert ms == pytest.approx(length_ms(word), abs=15)


@pytest.mark.parametrize("heard", ["your appointment is on Thursday."])
def test_history_of_all_is_right_when_all_is_on_the_recording(heard: str) -> None:
    judgement = judge(TEXT, heard, recorded())
    assert (judgement.words, judgement.heard, judgement.remaining, judgement.lost) == (5, 5, 0, 0)


def test_word_that_was_not_heard_and_remains_is_found() -> None:
    cut = recorded(end_ms(2) + 60)
    assert judge(TEXT, "your appointment", cut).wrong == 0
    judgement = judge(TEXT, "your appointment is", cut)
    assert (judgement.remaining, judgement.lost, judgement.wrong) == (1, 0, 1)


def test_word_that_was_heard_and_is_lost_is_found() -> None:
    judgement = judge(TEXT, "your", recorded(end_ms(2) + 60))
    assert (judgement.remaining, judgement.lost, judgement.wrong) == (0, 1, 1)


def test_nothing_heard_of_a_silent_recording_is_right() -> None:
    assert judge(TEXT, "", np.zeros(8000, dtype=np.int16)).wrong == 0
