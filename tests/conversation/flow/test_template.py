"""Prompts: variables and sentences."""

import pytest

from parley.conversation.flow.template import TemplateError, Variable, parse_sentences, parse_template


def test_prompt_is_cut_into_its_sentences_whatever_the_space_between_them() -> None:
    sentences = parse_sentences("Dr. Smith is in at 9.30 a.m. today.\n  Shall I book {day:date}? Yes!")
    assert [sentence.fill(lambda variable: "Monday") for sentence in sentences] == [
        "Dr. Smith is in at 9.30 a.m. today.",
        "Shall I book Monday?",
        "Yes!",
    ]


def test_fixed_and_variable_sentences_are_kept_apart() -> None:
    fixed, variable = parse_sentences("Thank you. See you on {day:date}.")
    assert fixed.variables == ()
    assert variable.variables == (Variable("day", "date"),)


def test_sentence_that_lacks_a_value_is_not_filled() -> None:
    assert parse_template("On {day}.").fill(lambda variable: "") is None
    assert parse_template("On {day}, {{sic}}.").fill(lambda variable: "Monday") == "On Monday, {sic}."


@pytest.mark.parametrize("text", ["{", "a } b", "{day.year}", "{0}", "{day!r}", "{day:%Y}", "{__class__}", "{}"])
def test_anything_but_a_name_in_braces_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match=";"):
        parse_template(text)
