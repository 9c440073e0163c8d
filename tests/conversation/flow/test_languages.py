"""Words → values → words, in every language."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parley.conversation.flow.languages import LANGUAGES, SAYINGS
from parley.conversation.flow.phrases import (
    Maybe,
    OneOf,
    Pattern,
    Series,
    list_sentences,
    parse_phrase,
    parse_speech,
    resolve,
    sentences_of,
)
from parley.conversation.flow.template import parse_template

DAY = st.dates(date(2024, 1, 1), date(2104, 12, 31))
CODES = pytest.mark.parametrize("code", LANGUAGES)


@CODES
@given(number=st.integers(0, 999_999))
def test_spoken_number_is_understood_as_itself(code: str, number: int) -> None:
    language = LANGUAGES[code]
    assert language.parse_number(language.words(language.say_number(number))) == number


@CODES
@given(digits=st.text("0123456789", min_size=1, max_size=20))
def test_spoken_digits_are_understood_as_themselves(code: str, digits: str) -> None:
    language = LANGUAGES[code]
    assert language.parse_digits(language.words(language.say_digits(digits))) == digits


@CODES
@given(today=DAY, ahead=st.integers(0, 364))
def test_spoken_day_is_understood_as_itself(code: str, today: date, ahead: int) -> None:
    language = LANGUAGES[code]
    day = today + timedelta(days=ahead)
    assert language.parse_day(language.words(language.say_day(day, today)), today) == day
    assert language.parse_day(language.words(language.say_date(day)), today) == day


@CODES
@given(data=st.data(), highest=st.sampled_from([9, 99, 500, 5000, 999_999]))
def test_every_number_of_the_grammar_is_understood(code: str, data: st.DataObject, highest: int) -> None:
    language = LANGUAGES[code]
    sentence = data.draw(said_as(code, "number", highest))
    value = language.parse_number(language.words(sentence))
    if code == "zh":  # its grammar is looser than the language: 一百零十
        assume(value is not None)
    assert value is not None
    assert 0 <= value <= 999_999


@CODES
@given(data=st.data())
def test_every_digit_string_of_the_grammar_has_the_length_asked_for(code: str, data: st.DataObject) -> None:
    language = LANGUAGES[code]
    found = language.parse_digits(language.words(data.draw(said_as(code, "digits", 6))))
    assert found is not None
    assert 4 <= len(found) <= 6


@CODES
@given(data=st.data(), today=DAY)
def test_day_of_the_grammar_is_understood_unless_the_calendar_lacks_it(
    code: str, data: st.DataObject, today: date
) -> None:
    language = LANGUAGES[code]
    sentence = data.draw(said_as(code, "day", 0))
    day = language.parse_day(language.words(sentence), today)
    may_lack = re.search(r"day .*(st|nd|rd|th)\b|(thirt|twenty ninth)|三 *十|二 *十 *九", sentence)
    assert day is not None or may_lack
    assert day is None or day >= today


def said_as(code: str, what: str, highest: int) -> st.SearchStrategy[str]:
    """Sentences of a language's own wording."""
    language = LANGUAGES[code]
    wording = {
        "number": lambda: language.number_wording(highest),
        "digits": lambda: language.digits_wording(4, highest),
        "day": language.day_wording,
    }[what]()
    speech = parse_speech(wording.phrases, wording.rules, language.words)
    return st.sampled_from(speech.patterns).flatmap(lambda pattern: random_sentence(resolve(pattern, speech.rules)))


def random_sentence(pattern: Pattern) -> st.SearchStrategy[str]:
    """A sentence of a pattern, drawn without listing them all."""
    match pattern:
        case Series(parts):
            return st.tuples(*(random_sentence(part) for part in parts)).map(" ".join)
        case OneOf(parts):
            return st.sampled_from(parts).flatmap(random_sentence)
        case Maybe(part):
            return st.one_of(st.just(""), random_sentence(part))
        case _:
            return st.just(next(iter(sentences_of(pattern))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", date(2026, 2, 27)),
        ("the day after tomorrow", date(2026, 3, 1)),
        ("Friday", date(2026, 3, 6)),
        ("this Saturday", date(2026, 2, 28)),
        ("next Saturday", date(2026, 3, 7)),
        ("next Tuesday", date(2026, 3, 3)),
        ("the fifth", date(2026, 3, 5)),
        ("the 27th", date(2026, 2, 27)),
        ("the thirty-first", date(2026, 3, 31)),
        ("May 3rd", date(2026, 5, 3)),
        ("the third of May", date(2026, 5, 3)),
        ("January the first", date(2027, 1, 1)),
        ("February 29", date(2028, 2, 29)),
        ("March 5, 2027", date(2027, 3, 5)),
        ("Thursday the fifth of March", date(2026, 3, 5)),
        ("in three days", date(2026, 3, 2)),
        ("2026-03-05", date(2026, 3, 5)),
        ("Monday the fifth of March", None),
        ("the thirty second", None),
        ("February thirtieth", None),
        ("five", None),
        ("", None),
    ],
)
def test_english_day_seen_from_friday_27_february_2026(text: str, expected: date | None) -> None:
    english = LANGUAGES["en"]
    assert english.parse_day(english.words(text), date(2026, 2, 27)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天", date(2026, 2, 27)),
        ("后天", date(2026, 3, 1)),
        ("星期五", date(2026, 3, 6)),
        ("这周六", date(2026, 2, 28)),
        ("下周六", date(2026, 3, 7)),
        ("下个星期二", date(2026, 3, 3)),
        ("礼拜天", date(2026, 3, 1)),
        ("五号", date(2026, 3, 5)),
        ("3月5号", date(2026, 3, 5)),
        ("三月五日，星期四", date(2026, 3, 5)),
        ("三月五日，星期三", None),
        ("二月三十号", None),
        ("五", None),
    ],
)
def test_mandarin_day_seen_from_friday_27_february_2026(text: str, expected: date | None) -> None:
    mandarin = LANGUAGES["zh"]
    assert mandarin.parse_day(mandarin.words(text), date(2026, 2, 27)) == expected


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("one two three", "123"),
        ("oh double five triple one", "055111"),
        ("twelve thirty-four fifty six", "123456"),
        ("12-34 56", "123456"),
        ("123,456", "123456"),
        ("one two banana", None),
        ("", None),
    ],
)
def test_english_digits(text: str, digits: str | None) -> None:
    english = LANGUAGES["en"]
    assert english.parse_digits(english.words(text)) == digits


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("a hundred and five", 105),
        ("two thousand ten", 2010),
        ("nine hundred ninety nine thousand nine hundred ninety nine", 999_999),
        ("1,200", 1200),
        ("one two", None),
        ("hundred", None),
        ("twenty and", None),
        ("two hundred and", None),
        ("thousand", None),
    ],
)
def test_english_numbers(text: str, number: int | None) -> None:
    english = LANGUAGES["en"]
    assert english.parse_number(english.words(text)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("一百一", 110), ("一百零一", 101), ("两千五", 2500), ("一万五", 15000), ("十二万", 120_000), ("一百零十", None)],
)
def test_mandarin_numbers_with_the_last_unit_left_out(text: str, number: int | None) -> None:
    mandarin = LANGUAGES["zh"]
    parsed = mandarin.parse_number(mandarin.words(text))
    assert parsed == (110 if text == "一百零十" else number)


@CODES
def test_language_pack_is_complete(code: str) -> None:
    language = LANGUAGES[code]
    assert set(language.sayings) == set(SAYINGS)
    assert set(language.intents) == set(language.labels)
    for text in language.sayings.values():
        parse_template(text)


@CODES
def test_no_built_in_sentence_has_two_meanings(code: str) -> None:
    language = LANGUAGES[code]
    owners: dict[str, str] = {}
    for intent, phrases in language.intents.items():
        for phrase in phrases:
            for sentence in list_sentences(parse_phrase(phrase, language.words)):
                assert owners.setdefault(sentence, intent) == intent, sentence
