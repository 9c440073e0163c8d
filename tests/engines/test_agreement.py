"""Partials tell only what two decodings agree on."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from parley.engines.agreement import Agreement, plain


def words(text: str) -> list[str]:
    return re.findall(r"\s*\S+", text)


def told(*texts: str) -> list[str]:
    agreement = Agreement()
    return [agreement.take(words(text)) for text in texts]


def test_first_decoding_tells_nothing_and_the_second_what_both_say() -> None:
    assert told(" I would like", " I would like to pay", " I would like to pay my bill") == [
        "",
        "I would like",
        "I would like to pay",
    ]


def test_words_that_change_are_not_told_until_they_have_come_twice() -> None:
    assert told(" pay my bell", " pay my bill", " pay my bill now") == ["", "pay my", "pay my bill"]


def test_what_was_told_is_never_taken_back() -> None:
    assert told(" pay my bill", " pay my bill", " play the bill", " play the bill today") == [
        "",
        "pay my bill",
        "pay my bill",
        "pay my bill",
    ]


def test_case_and_punctuation_are_no_disagreement() -> None:
    assert told(" Yes, please.", " Yes please")[1] == "Yes please"


def test_characters_without_spaces_between_them_stay_together() -> None:
    agreement = Agreement()
    agreement.take(["我", "想", "付"])
    assert agreement.take(["我", "想", "付", "账"]) == "我想付"


@given(st.lists(st.lists(st.sampled_from([" a", " b", " c"]), max_size=5), max_size=6))
def test_told_text_only_grows(decodings: list[list[str]]) -> None:
    agreement, before = Agreement(), ""
    for decoding in decodings:
        after = agreement.take(decoding)
        assert after.startswith(before)
        before = after


def test_plain_text_has_neither_case_nor_punctuation_and_keeps_apostrophes() -> None:
    assert plain(" I'm SORRY -- really!? ") == "i'm sorry really"
    assert plain("谢谢。") == "谢谢"
