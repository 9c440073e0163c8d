"""The way back from what is said to what was written."""

import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.conversation.text.written_out import Replacement, Rule, WrittenOut, apply_rules

AMOUNT = WrittenOut("Pay $5 now.", [Replacement(4, 6, "five dollars")])


def test_unchanged_words_count_letter_by_letter() -> None:
    assert AMOUNT.said == "Pay five dollars now."
    assert AMOUNT.text[: AMOUNT.cut_in_text(3)] == "Pay"
    assert AMOUNT.text[: AMOUNT.cut_in_text(len("Pay five dollars now"))] == "Pay $5 now"
    assert AMOUNT.cut_in_text(len(AMOUNT.said)) == len(AMOUNT.text)


def test_expression_counts_once_all_of_its_words_were_said() -> None:
    assert AMOUNT.text[: AMOUNT.cut_in_text(len("Pay five"))] == "Pay "
    assert AMOUNT.text[: AMOUNT.cut_in_text(len("Pay five dollars"))] == "Pay $5"


def test_earlier_rule_wins_and_one_that_declines_leaves_the_text_to_the_next() -> None:
    rules = [
        Rule(re.compile("[0-9]+/[0-9]+"), lambda match: None if match.group() == "13/13" else "a day"),
        Rule(re.compile("[0-9]+"), lambda match: "n"),
    ]
    assert apply_rules("1/2 and 13/13 and 7", rules).said == "a day and n/n and n"


@given(
    st.text("ab ", max_size=20), st.lists(st.tuples(st.integers(0, 20), st.integers(1, 4), st.text("xy", min_size=1)))
)
def test_more_that_is_said_never_means_less_of_the_text(text: str, wanted: list[tuple[int, int, str]]) -> None:
    replacements: list[Replacement] = []
    for start, length, said in sorted(wanted):
        if start + length <= len(text) and (not replacements or replacements[-1].end <= start):
            replacements.append(Replacement(start, start + length, said))
    words = WrittenOut(text, replacements)
    cuts = [words.cut_in_text(cut) for cut in range(len(words.said) + 1)]
    assert cuts == sorted(cuts)
    assert cuts[-1] == len(text)


def test_rule_that_fails_leaves_the_text_as_it_is_and_the_log_names_it_without_the_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(match: re.Match[str]) -> str:
        raise KeyError(match.group())

    rules = [Rule(re.compile("[0-9]+"), fails), Rule(re.compile("&"), lambda _: "and")]
    with caplog.at_level(logging.WARNING):
        assert apply_rules("77 & 8", rules).said == "77 and 8"
    assert {getattr(record, "problem", "") for record in caplog.records} == {"KeyError"}
    assert all("77" not in record.getMessage() + str(getattr(record, "rule", "")) for record in caplog.records)
