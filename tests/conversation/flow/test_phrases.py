"""The phrase notation: parsing, listing, JSGF."""

import pytest

from parley.conversation.flow.phrases import (
    MAX_SENTENCES,
    PhraseError,
    list_sentences,
    parse_phrase,
    resolve,
    to_jsgf,
)


def test_phrase_stands_for_every_combination_of_its_parts() -> None:
    pattern = parse_phrase("[please] (speak | talk [now]) to {name}", str.split)
    assert sorted(list_sentences(pattern)) == sorted(
        f"{please}{verb} to {{name}}" for please in ("", "please ") for verb in ("speak", "talk", "talk now")
    )


def test_phrase_is_written_as_jsgf() -> None:
    pattern = parse_phrase("[please] (speak | talk) to <whom> on {day}", str.split)
    assert to_jsgf(pattern) == "[ please ] ( speak | talk ) to <whom> on <slot_day>"


def test_synonyms_are_put_in_place() -> None:
    rules = {"want": parse_phrase("i want | i need", str.split)}
    assert list_sentences(resolve(parse_phrase("<want> help", str.split), rules)) == ["i want help", "i need help"]


def test_synonyms_that_go_in_a_circle_are_refused() -> None:
    rules = {"a": parse_phrase("x <b>", str.split), "b": parse_phrase("y <a>", str.split)}
    with pytest.raises(PhraseError, match="circle"):
        resolve(rules["a"], rules)


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("(speak", "not closed"),
        ("speak)", "no opening bracket"),
        ("[please]", "every word of the phrase is optional"),
        ("[a] (b | [c])", "every word of the phrase is optional"),
        ("speak | ", "nothing beside"),
        ("()", "is empty"),
        ("!!!", "no words"),
        ("call <The Boss>", "not a name"),
        ("call {", "stands alone"),
        ("(" * 30 + "a" + ")" * 30, "nested"),
    ],
)
def test_malformed_phrase_says_what_is_wrong(phrase: str, reason: str) -> None:
    with pytest.raises(PhraseError, match=reason):
        parse_phrase(phrase, lambda text: [word for word in text.split() if word.isalpha()])


def test_phrase_that_stands_for_too_many_sentences_is_refused() -> None:
    pattern = parse_phrase("(a | b | c | d) " * 7, str.split)
    with pytest.raises(PhraseError, match=str(MAX_SENTENCES)):
        list_sentences(pattern)
