import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.app.terminal_text import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("José, 张伟 👩\u200d🔧", "José, 张伟 👩\u200d🔧"),
        ("全角\u3000空格", "全角\u3000空格"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\u202eevil", r"\u202eevil"),
        ("caf\udce9", r"caf\udce9"),
        ("line\u2028line", r"line\u2028line"),
        ("\x9b31m", r"\x9b31m"),
    ],
)
def test_letters_stay_and_what_steers_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_characters_to_keep_stay() -> None:
    assert visible("a\nb\r", keep="\n") == "a\nb\\r"


@given(st.text(alphabet=st.characters()))
def test_any_text_becomes_encodable_without_control_characters(text: str) -> None:
    shown = visible(text)
    assert not any(char < " " or "\x7f" <= char <= "\x9f" for char in shown)
    shown.encode("utf-8")
