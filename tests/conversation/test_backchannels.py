import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.conversation.backchannels import Backchannel, backchannel_in

MURMURS = [
    ("uh-huh", "en"),
    ("Mm-hm.", "en"),
    ("mhm", "en"),
    ("oh, I see", "en"),
    ("嗯", "zh"),
    ("嗯，嗯。", "zh"),
    ("哦", "zh"),
]
AGREEMENTS = [
    *(("yeah", "en"), ("Yeah, okay.", "en"), ("right", "en"), ("mm, all right", "en")),
    *(("好的", "zh"), ("嗯，好的。", "zh"), ("对对", "zh")),
]
WORDS = [
    *(("yeah but no", "en"), ("Tuesday", "en"), ("no", "en"), ("I see a problem", "en"), ("", "en"), ("...", "en")),
    *(("嗯我想改时间", "zh"), ("不对", "zh"), ("", "zh"), ("uh-huh", "de"), ("yeah yeah yeah yeah yeah", "en")),
]


@pytest.mark.parametrize(("text", "language"), MURMURS)
def test_murmur_is_never_an_answer(text: str, language: str) -> None:
    assert backchannel_in(text, language) is Backchannel.MURMUR


@pytest.mark.parametrize(("text", "language"), AGREEMENTS)
def test_agreement_may_be_an_answer(text: str, language: str) -> None:
    assert backchannel_in(text, language) is Backchannel.AGREEMENT


@pytest.mark.parametrize(("text", "language"), WORDS)
def test_words_that_say_something_are_no_backchannel(text: str, language: str) -> None:
    assert backchannel_in(text, language) is None


@given(st.text(max_size=40), st.sampled_from(["en", "zh", "de"]))
def test_any_text_is_judged(text: str, language: str) -> None:
    assert backchannel_in(text, language) in (None, *Backchannel)
