"""YAML as flows allow it."""

import pytest

from parley.conversation.flow.source import MAX_BYTES, read_source


def test_yes_and_no_stay_words_and_lines_are_known() -> None:
    source = read_source("choices:\n  yes: booked\n  no: change\n  tries: 3\n  ratio: 0.5\n  on: true\n  none: ~\n")
    assert source.value == {
        "choices": {"yes": "booked", "no": "change", "tries": 3, "ratio": 0.5, "on": True, "none": None}
    }
    assert source.line_of(("choices", "no")) == 3
    assert source.line_of(("choices", "no", "deeper", 0)) == 3


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is given twice (first in line 1)"),
        ("a: &x [1]\nb: *x\n", 1, "anchors"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tags"),
        ("a: 1\nb:\n\tc: 2\n", 3, "tab"),
        ("a: b: c\n", 1, "a ':' stands where none can"),
        ("a: [1, 2\nb: 3\n", 2, "a ':' stands inside { } or [ ]"),
        ("a: {en: Which day?, zh: x}\n", 1, "a '?' stands inside { }"),
        ('a: "open\n', 2, "broken"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("", 1, "empty"),
        ("? [a]\n: 1\n", 1, "key is not plain text"),
        ("a: " + "[" * 200 + "]" * 200, 1, "nested"),
        ("a: \x00\n", 1, "characters"),
        ("a: " + "x" * MAX_BYTES, 1, "larger than"),
    ],
)
def test_bad_yaml_is_refused_with_its_line(text: str, line: int, what: str) -> None:
    source = read_source(text)
    assert source.value is None
    assert [problem.line for problem in source.problems] == [line]
    assert what in source.problems[0].what
    assert source.problems[0].todo


def test_alias_bomb_is_refused_before_it_is_built() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30))
    source = read_source("l0: &l0 [x, x]\n" + levels)
    assert source.value is None
    assert "anchors" in source.problems[0].what
