"""What is said for what is written, by language."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.conversation.text import english, mandarin
from parley.conversation.text.normaliser import written_out
from parley.conversation.text.written_out import Rule

ENGLISH = [
    # money
    ("That is $1,250.50 in all.", "That is one thousand two hundred fifty dollars and fifty cents in all."),
    ("It costs $1, $0.99 or €2.01.", "It costs one dollar, ninety-nine cents or two euros and one cent."),
    ("A gain of $2.5 million.", "A gain of two point five million dollars."),
    ("£10 or USD 20", "ten pounds or twenty dollars"),
    # days
    ("On 2026-11-25.", "On November twenty-fifth, twenty twenty-six."),
    ("On 11/25/2026.", "On November twenty-fifth, twenty twenty-six."),
    ("On March 5, 2026, or Mar. 6th.", "On March fifth, twenty twenty-six, or March sixth."),
    ("On 5 March or the 21st.", "On March fifth or the twenty-first."),
    ("In 1905.", "In nineteen oh five."),
    ("February 30", "February thirty"),
    # times
    ("At 9:30 a.m.", "At nine thirty a m."),
    ("At 9 a.m. or 5pm.", "At nine a m or five p m."),
    ("At 14:05, 9:00 or 0:15.", "At fourteen oh five, nine o'clock or zero fifteen."),
    # telephone numbers and codes
    ("Call 555-0199.", "Call five five five, zero one nine nine."),
    ("Call (415) 555-0132.", "Call four one five, five five five, zero one three two."),
    ("Call +1 415 555 0132.", "Call plus one, four one five, five five five, zero one three two."),
    ("Your code is AB12-34X.", "Your code is A B one two, three four X."),
    ("PIN 007", "PIN zero zero seven"),
    ("Account 1234567890123", "Account one two three four, five six seven eight, nine zero one two, three"),
    # numbers
    ("Press 1 for yes.", "Press one for yes."),
    ("I have 4 7 1 5.", "I have four seven one five."),
    ("3.50% of 1,000,000", "three point five zero percent of one million"),
    ("-5 or 10–12 degrees", "minus five or ten to twelve degrees"),
    ("Order no. 5, or #7", "Order number five, or number seven"),
    # abbreviations
    ("Dr. Smith, 12 Main St. in St. Louis", "Doctor Smith, twelve Main Street in Saint Louis"),
    ("Some day, e.g. Mon. or Tue.", "Some day, for example Monday or Tuesday."),
    ("Fish & chips etc.", "Fish and chips et cetera."),
    # what is said as it is written
    ("Good morning. May I help you? No.", "Good morning. May I help you? No."),
    ("AT&T", "AT&T"),
]
MANDARIN = [
    ("共1,250.50元。", "共一千二百五十元五角。"),
    ("¥3.05，0.5元，2元，$5.5", "三元零五分，五角，两元，五点五美元"),
    ("2026年11月25日，11月5号", "二零二六年十一月二十五日，十一月五号"),
    ("2026-11-25", "二零二六年十一月二十五日"),
    ("13月40日", "十三月四十日"),
    ("14:30，9:05，2:00", "十四点三十分，九点零五分，两点"),
    ("请拨打13812345678。", "请拨打幺三八，幺二三四，五六七八。"),
    ("电话010-12345678", "电话零幺零，幺二三四五六七八"),
    ("涨了3.5%", "涨了百分之三点五"),
    ("有2个人，第2个，12个", "有两个人，第二个，十二个"),
    ("请按1到7，9-12点", "请按一到七，九到十二点"),
    ("订单号AB12-34，编号007", "订单号A B 一二，三四，编号零零七"),
    ("-5度，10位，110", "负五度，十位，一百一十"),
    ("您好，请问有什么可以帮您？", "您好，请问有什么可以帮您？"),
]
FIGURES = st.text(
    alphabet=st.sampled_from([*"0123456789" * 2, *".,-–/: %$€¥#+()&", *"apmAPMxstndhNoDrSt.", *"年月日元点个第2号"]),
    max_size=30,
)
FOLDED = st.text(alphabet=st.sampled_from([*"İıſ. ", *"Mrinsctauh"]), max_size=12)
"""Letters that are others' small or capital form for `re`, and not for `str.lower()`."""
LONG = st.builds(
    "{}{}{}".format,
    st.sampled_from(["$", "¥", "€", ""]),
    st.sampled_from(["7" * 4300, "7" * 4301]),
    st.sampled_from(["", "元", ".50", "%", "st", " million"]),
)
"""Python makes no integer of more than 4,300 digits."""
ANYTHING = st.one_of(st.text(max_size=60), FIGURES, FOLDED)
LANGUAGES = st.sampled_from(["en", "zh"])


@pytest.mark.parametrize(("text", "said"), ENGLISH)
def test_english_is_said_so(text: str, said: str) -> None:
    assert written_out(text, "en").said == said


@pytest.mark.parametrize(("text", "said"), MANDARIN)
def test_mandarin_is_said_so(text: str, said: str) -> None:
    assert written_out(text, "zh").said == said


def test_text_of_another_language_stays_as_it_is() -> None:
    assert written_out("Das kostet 5 €.", "de").said == "Das kostet 5 €."


def test_the_original_words_are_found_by_what_was_said() -> None:
    words = written_out("Dr. Smith owes $1,250.50 since March 5.", "en")
    heard = words.said.index("fifty cents")
    assert words.text[: words.cut_in_text(heard)].rstrip() == "Dr. Smith owes"
    heard = words.said.index(" since")
    assert words.text[: words.cut_in_text(heard)] == "Dr. Smith owes $1,250.50"


@settings(deadline=None)  # thousands of digits are said one by one
@given(st.one_of(ANYTHING, LONG), st.sampled_from([english.RULES, mandarin.RULES]))
def test_no_rule_fails_whatever_callers_say(text: str, rules: Sequence[Rule]) -> None:
    for rule in rules:
        for match in rule.pattern.finditer(text):
            rule.say(match)


@pytest.mark.parametrize("text", ["Frı.", "mrſ.", "Mİn.", "İnc.", "Ext. ıſt"])
def test_letters_of_other_alphabets_make_no_abbreviation(text: str) -> None:
    assert written_out(text, "en").said.lower() == text.lower().replace("ext.", "extension")


@pytest.mark.parametrize(("text", "language"), [("$" + "7" * 5000, "en"), ("¥" + "7" * 5000, "zh")])
def test_amount_that_is_none_is_said_digit_by_digit(text: str, language: str) -> None:
    said = written_out(text, language).said
    assert said.count("seven" if language == "en" else "七") == 5000
    assert said.endswith(" dollars" if language == "en" else "元")


@given(ANYTHING, LANGUAGES)
def test_anything_can_be_written_out_and_no_figure_is_left_for_the_voice(text: str, language: str) -> None:
    assert not re.search("[0-9]", written_out(text, language).said)


@given(ANYTHING, LANGUAGES)
def test_no_letter_is_lost(text: str, language: str) -> None:
    """What the rules leave alone is there, in order, and what they change still has words."""
    words = written_out(text, language)
    changed = [piece for piece in words.changes]
    kept, at = "", 0
    for change in changed:
        kept += text[at : change.start]
        at = change.end
        assert any(char.isalpha() for char in change.said)
    kept += text[at:]
    said = iter(words.said)
    assert all(char in said for char in kept)


@given(ANYTHING, LANGUAGES, st.integers(0, 400))
def test_any_cut_leads_to_a_place_in_the_text(text: str, language: str, cut: int) -> None:
    assert 0 <= written_out(text, language).cut_in_text(cut) <= len(text)
