"""Evidence for and against an answer."""

from __future__ import annotations

import math

import pytest

from parley.engines.rejection import NARROWBAND, WIDEBAND, AnswerWord, Judge, Phone, gather, phone_distance


def word(text: str, phones: str, first_frame: int, last_frame: int, score: float) -> AnswerWord:
    return AnswerWord(text, tuple(phones.split()), first_frame, last_frame, score)


YES = word("yes", "Y EH S", 20, 49, -60.0)
HEARD = [
    Phone("SIL", 0, 19, -10.0),
    Phone("Y", 20, 29, -10.0),
    Phone("EH", 30, 39, -10.0),
    Phone("S", 40, 49, -10.0),
    Phone("+NSN+", 50, 59, -10.0),
]


def test_same_sequence_has_no_distance_and_a_wholly_different_one_has_distance_one() -> None:
    assert phone_distance(["Y", "EH", "S"], ["Y", "EH", "S"]) == 0
    assert phone_distance(["Y", "EH", "S"], ["M", "T"]) == 1
    assert phone_distance([], ["M"]) == 1


def test_phone_of_the_same_class_costs_half() -> None:
    assert phone_distance(["EH"], ["AE"]) == 0.5
    assert phone_distance(["EH", "S"], ["EH", "Z", "T"]) == pytest.approx(0.5)


def test_answer_that_fits_is_measured_against_the_free_phones() -> None:
    evidence = gather([YES], HEARD)
    assert evidence is not None
    assert evidence.fit == -2.0
    assert evidence.fit_beside_phones == evidence.worst_word == -1.0
    assert evidence.phone_distance == 0
    assert evidence.coverage == 1
    assert evidence.stretch == pytest.approx(math.log(10))


def test_speech_outside_the_answers_words_lowers_the_coverage() -> None:
    more = [*HEARD, Phone("AA", 60, 89, -10.0)]
    evidence = gather([YES], more)
    assert evidence is not None
    assert evidence.coverage == 0.5


def test_worst_word_is_found() -> None:
    please = word("please", "P L IY Z", 50, 59, -110.0)
    evidence = gather([YES, please], HEARD)
    assert evidence is not None
    assert evidence.worst_word == -10.0


@pytest.mark.parametrize(
    ("words", "phones"),
    [
        ([], HEARD),
        ([YES], []),
        ([YES], [Phone("SIL", 0, 99, -1.0), Phone("+NSN+", 100, 120, -1.0)]),
        ([word("yes", "Y EH S", 20, 30, -1.0)], HEARD),
    ],
)
def test_no_speech_or_too_little_is_no_evidence(words: list[AnswerWord], phones: list[Phone]) -> None:
    assert gather(words, phones) is None


@pytest.mark.parametrize("judge", [WIDEBAND, NARROWBAND])
def test_answer_that_fits_is_believed_and_one_that_does_not_is_rejected(judge: Judge) -> None:
    good = gather([YES], HEARD)
    misfit = word("thursday", "TH ER Z D EY", 20, 109, -900.0)
    bad = gather([misfit], [*HEARD, Phone("M", 60, 69, -5.0), Phone("OW", 70, 119, -9.0)])
    assert good is not None
    assert bad is not None
    assert judge.confidence(good) > 0.8
    assert judge.confidence(bad) < 0.2 < judge.threshold
