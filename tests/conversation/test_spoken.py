"""Sentences, and which of their words were heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.conversation.flow.step import Line
from parley.conversation.ports import WordTime
from parley.conversation.sound_edges import SoundEdges
from parley.conversation.spoken import SpokenSentence, sentences_of
from parley.conversation.text.written_out import WrittenOut


def spoken(text: str, samples: int, *, complete: bool = True, start: int = 1000) -> SpokenSentence:
    return SpokenSentence(WrittenOut(text), 8000, start, samples, complete)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Good morning. How can I help you?", ["Good morning.", "How can I help you?"]),
        ("That is $3.15 in all.", ["That is $3.15 in all."]),
        ("Dr. Smith is in. Mrs. Jones is not!", ["Dr. Smith is in.", "Mrs. Jones is not!"]),
        ("At 9 a.m. on Tuesday.", ["At 9 a.m. on Tuesday."]),
        ('He said "no." Fine.', ['He said "no."', "Fine."]),
        ("您好。请问有什么可以帮您？", ["您好。", "请问有什么可以帮您？"]),
        ("...", []),
        ("", []),
        ("Wait… go on", ["Wait…", "go on"]),
    ],
)
def test_lines_are_cut_into_sentences(text: str, sentences: list[str]) -> None:
    assert [sentence.text for sentence in sentences_of([Line(text)], "en")] == sentences


def test_recorded_line_stays_whole() -> None:
    (sentence,) = sentences_of([Line("One. Two.", recording="greeting.wav", interruptible=False)], "en")
    assert (sentence.text, sentence.recording, sentence.interruptible) == ("One. Two.", "greeting.wav", False)


def test_nothing_is_heard_before_the_first_sample() -> None:
    assert spoken("Good morning.", 8000).heard(1000) == ""


def test_everything_is_heard_after_the_last_sample() -> None:
    assert spoken("Good morning.", 8000).heard(9000) == "Good morning."


def test_words_are_heard_in_proportion_to_the_samples_played() -> None:
    sentence = spoken("aaaa bbbb cccc dddd", 19_000)
    assert sentence.heard(1000 + 3999) == ""
    assert sentence.heard(1000 + 4000) == "aaaa"
    assert sentence.heard(1000 + 9000) == "aaaa bbbb"
    assert sentence.heard(1000 + 18_999) == "aaaa bbbb cccc"


def test_silence_around_the_sound_belongs_to_no_word() -> None:
    sentence = spoken("aaaa bbbb cccc dddd", 19_000 + 4000)
    sentence.sound = SoundEdges(8000)
    sentence.sound.feed(bytes(3200 * 2) + b"\0\x20" * 19_000 + bytes(800 * 2))
    assert sentence.heard(1000 + 3200 + 3900) == ""
    assert sentence.heard(1000 + 3200 + 4100) == "aaaa"
    place, is_certain = sentence.interrupted_at(1000 + 3200 + 9100)
    assert abs(place - (3200 + 9 * 1000)) <= 160
    assert not is_certain


def test_word_times_win_over_proportion_and_keep_punctuation() -> None:
    sentence = spoken("Well, yes.", 8000)
    sentence.word_times += [WordTime("Well", 0, 6000), WordTime("yes", 6000, 8000)]
    assert sentence.heard(1000 + 5999) == ""
    assert sentence.heard(1000 + 6000) == "Well,"


def test_sentence_that_is_not_complete_yet_is_taken_at_a_typical_rate() -> None:
    sentence = spoken("one two three four five six seven eight", 4000, complete=False)
    assert sentence.heard(5000) == "one two"


def test_chinese_is_cut_between_characters() -> None:
    assert spoken("请问有什么可以帮您？", 10_000).heard(1000 + 5000) == "请问有什么"


def test_cut_sentence_does_not_grow_with_what_is_played_later() -> None:
    sentence = spoken("aaaa bbbb cccc dddd", 19_000)
    sentence.cut(1000 + 9000)
    assert sentence.heard(10**9) == "aaaa bbbb"
    assert not sentence.played_wholly(10**9)


@given(st.text(alphabet="ab ,。问.", min_size=1, max_size=60), st.integers(1, 50_000), st.integers(0, 60_000))
def test_what_was_heard_is_always_a_beginning_of_the_text(text: str, samples: int, played: int) -> None:
    heard = spoken(text, samples, start=0).heard(played)
    assert text.startswith(heard)


@given(st.integers(0, 60_000), st.integers(0, 60_000))
def test_more_samples_never_mean_fewer_words(one: int, other: int) -> None:
    sentence = spoken("the quick brown fox jumps over the lazy dog", 50_000, start=0)
    assert len(sentence.heard(min(one, other))) <= len(sentence.heard(max(one, other)))
