import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.call_control import InvalidRequest, RtpTarget
from parley.call_control.validation import (
    MAX_VARIABLE_VALUE,
    checked_digits,
    checked_target,
    checked_variables,
    without_control_characters,
)


@given(st.text())
def test_cleaned_text_fits_on_one_protocol_line(text: str) -> None:
    cleaned = without_control_characters(text)
    assert cleaned.splitlines() in ([], [cleaned])
    assert "\0" not in cleaned
    assert without_control_characters(cleaned) == cleaned


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_everything_printable_stays_as_it_is(text: str) -> None:
    assert without_control_characters(text) == text


def test_lone_surrogate_is_taken_out_so_that_the_value_can_be_encoded() -> None:
    assert without_control_characters("a\ud800b").encode() == b"a b"


def test_variables_are_cut_and_cleaned() -> None:
    assert checked_variables({"A_1": " x\r\ny ", "B": "z" * 10_000}) == {"A_1": "x y", "B": "z" * MAX_VARIABLE_VALUE}


@pytest.mark.parametrize("name", ["", "a", "Ä", "A\n", "TIMEOUT(absolute)"])
def test_variable_name_outside_the_alphabet_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_variables({name: "1"})


@pytest.mark.parametrize("digits", ["1", "0123456789*#ABCD", "1" * 64])
def test_keys_of_a_telephone_are_accepted(digits: str) -> None:
    assert checked_digits(digits) == digits


@pytest.mark.parametrize(
    "target", [RtpTarget("", 1), RtpTarget("h", 0), RtpTarget("h", 65536), RtpTarget("h\n", 1), RtpTarget("h/x", 1)]
)
def test_audio_address_that_is_none_is_refused(target: RtpTarget) -> None:
    with pytest.raises(InvalidRequest):
        checked_target(target)
