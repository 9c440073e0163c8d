"""Where a text is cut, whole and while it grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.conversation.text.sentences import REPLY, PieceLengths, SentenceSplitter, letters, split_sentences

SNIPPETS = [
    *'abcXYZ 0159.,:;!?…")(“”-\n您好今天。，！？；、',
    *(" ", ". ", ", ", " Dr.", " e.g. ", " 3.5", " p.m. Tue"),
]
WRITING = st.lists(st.sampled_from(SNIPPETS), max_size=80).map("".join)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Good morning. How can I help you?", ["Good morning.", "How can I help you?"]),
        ("That is $3.15 in all. Fine.", ["That is $3.15 in all.", "Fine."]),
        ("Dr. Smith is in. Mrs. Jones is not!", ["Dr. Smith is in.", "Mrs. Jones is not!"]),
        ("J. R. Smith called. Then he left.", ["J. R. Smith called.", "Then he left."]),
        ("At 9 a.m. on Tuesday. At 9 a.m. Tuesday.", ["At 9 a.m. on Tuesday.", "At 9 a.m. Tuesday."]),
        ("We open at 9 a.m. Please come.", ["We open at 9 a.m.", "Please come."]),
        ("Some day, e.g. Monday. Or i.e. Tuesday.", ["Some day, e.g. Monday.", "Or i.e. Tuesday."]),
        ("It is No. 5 here. I said no. You heard.", ["It is No. 5 here.", "I said no.", "You heard."]),
        ("1. Call us. 2. Wait.", ["1. Call us.", "2. Wait."]),
        ('He said "no." Fine.', ['He said "no."', "Fine."]),
        ('"Really?" he said. Yes.', ['"Really?" he said.', "Yes."]),
        ("您好。请问有什么可以帮您？", ["您好。", "请问有什么可以帮您？"]),
        ("他说：“您好！”然后走了。好的", ["他说：“您好！”", "然后走了。", "好的"]),
        ("好的!请稍等?谢谢", ["好的!", "请稍等?", "谢谢"]),
        ("共3.5元。谢谢。", ["共3.5元。", "谢谢。"]),
        ("First line\n\nsecond line", ["First line", "second line"]),
        ("Wait… go on", ["Wait…", "go on"]),
        ("...", []),
        ("", []),
    ],
)
def test_text_is_cut_behind_its_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def streamed(text: str, size: int, lengths: PieceLengths = REPLY) -> list[str]:
    splitter = SentenceSplitter(lengths)
    pieces = [piece for at in range(0, len(text), size) for piece in splitter.feed(text[at : at + size])]
    return pieces + splitter.finish()


def test_sentence_comes_as_soon_as_what_follows_has_begun() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("It is 3") == []
    assert splitter.feed(".") == []
    assert splitter.feed("5.") == []
    assert splitter.feed(" T") == ["It is 3.5."]
    assert splitter.feed("hanks! 好。") == ["Thanks!"]
    assert splitter.feed("请") == ["好。"]
    assert splitter.finish() == ["请"]


def test_first_piece_may_be_a_clause_and_later_ones_are_sentences() -> None:
    text = "Yes, I can certainly do that for you, Mr. Jones, and today. If you like, we call you back, too."
    assert streamed(text, 5) == [
        "Yes, I can certainly do that for you,",
        "Mr. Jones, and today.",
        "If you like, we call you back, too.",
    ]


def test_first_clause_in_mandarin_needs_fewer_characters() -> None:
    text = "您好，我可以帮您查一下这个订单，请稍等。好的，马上，谢谢您。"
    assert streamed(text, 1) == ["您好，我可以帮您查一下这个订单，", "请稍等。", "好的，马上，谢谢您。"]


def test_clause_is_not_cut_before_a_number() -> None:
    assert streamed("We have booked you on March 5, 2026, at nine.", 4) == [
        "We have booked you on March 5, 2026,",
        "at nine.",
    ]


def test_sentence_that_does_not_end_is_cut_at_a_clause_or_between_words() -> None:
    pieces = streamed("word " * 30 + "and so, " + "word " * 200, 7, PieceLengths(longest=200))
    assert pieces[0].endswith("and so,")
    assert all(letters(piece) <= 200 for piece in pieces)
    assert "".join(pieces).count("word") == 230


@given(WRITING, st.integers(1, 9), st.sampled_from([REPLY, PieceLengths(), PieceLengths(5, 20), PieceLengths(0, 12)]))
def test_pieces_are_the_same_however_the_text_comes(text: str, size: int, lengths: PieceLengths) -> None:
    assert streamed(text, size, lengths) == streamed(text, len(text) or 1, lengths)


@given(st.one_of(WRITING, st.text(max_size=200)), st.integers(1, 9), st.sampled_from([REPLY, PieceLengths(5, 20)]))
def test_no_letter_is_lost_and_none_comes_twice(text: str, size: int, lengths: PieceLengths) -> None:
    spoken = "".join(char for piece in streamed(text, size, lengths) for char in piece if char.isalnum())
    assert spoken == "".join(char for char in text if char.isalnum())
