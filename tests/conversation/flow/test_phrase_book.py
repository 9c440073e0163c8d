"""Which intent an utterance expresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.conversation.flow.languages import LANGUAGES
from parley.conversation.flow.phrase_book import PhraseBook
from parley.conversation.flow.phrases import parse_phrase
from tests.conversation.flow.test_languages import random_sentence

BOOKS = {
    code: PhraseBook(
        {name: [parse_phrase(text, pack.words) for text in phrases] for name, phrases in pack.intents.items()}, pack
    )
    for code, pack in LANGUAGES.items()
}


def intent_of(code: str, text: str) -> str | None:
    match = BOOKS[code].find(LANGUAGES[code].words(text))
    return None if match is None else match.intent


@pytest.mark.parametrize("code", LANGUAGES)
@given(data=st.data())
def test_sentence_of_the_grammar_is_understood_as_its_own_intent(code: str, data: st.DataObject) -> None:
    language = LANGUAGES[code]
    intent = data.draw(st.sampled_from(sorted(language.intents)))
    phrase = data.draw(st.sampled_from(language.intents[intent]))
    words = language.words(data.draw(random_sentence(parse_phrase(phrase, language.words))))
    for filler in data.draw(st.lists(st.sampled_from(sorted(language.fillers)), max_size=3)):
        words.insert(data.draw(st.integers(0, len(words))), filler)
    match = BOOKS[code].find(words)
    assert match is not None
    assert (match.intent, match.whole) == (intent, True)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Uh, yes please.", "yes"),
        ("yes I would like that", "yes"),
        ("No, that's wrong!", "no"),
        ("that's not right", "no"),
        ("yeah I'd like to speak to a person thank you", "person"),
        ("could you repeat that", "repeat"),
        ("I don't want an agent", None),
        ("that is hardly ever correct", None),
        ("the weather is nice", None),
        ("", None),
    ],
)
def test_english_utterance(text: str, intent: str | None) -> None:
    assert intent_of("en", text) == intent


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("嗯，对的。", "yes"),
        ("不对", "no"),
        ("这个不可以", None),
        ("我想找一个真人说话", "person"),
        ("麻烦转人工客服谢谢", "person"),
        ("请再说一遍", "repeat"),
        ("今天天气真好", None),
    ],
)
def test_mandarin_utterance(text: str, intent: str | None) -> None:
    assert intent_of("zh", text) == intent
