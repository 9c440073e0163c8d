"""English digits and numbers: words to values and back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from parley.conversation.flow.languages.base import Wording

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

_DIGIT = {word: value for value, word in enumerate(DIGITS)} | {"oh": 0, "o": 0, "nought": 0}
_UNDER_TWENTY = {word: value for value, word in enumerate((*DIGITS, *TEENS))}
_TENS = {word: 20 + 10 * index for index, word in enumerate(TENS)}
_TIMES = {"double": 2, "triple": 3}


def parse_digits(words: Sequence[str]) -> str | None:
    """Return the digits that the words are: 'one two', 'double five', 'twelve thirty four', '12 34'."""
    digits = ""
    at = 0
    while at < len(words):
        word = words[at]
        following = words[at + 1] if at + 1 < len(words) else ""
        if word in _TIMES and following in _DIGIT:
            digits += str(_DIGIT[following]) * _TIMES[word]
            at += 2
        elif word in _TENS and _DIGIT.get(following, 0) >= 1:
            digits += str(_TENS[word] + _DIGIT[following])
            at += 2
        elif re.fullmatch(r"[0-9]+", word):
            digits += word
            at += 1
        else:
            value = _DIGIT.get(word, _UNDER_TWENTY.get(word, _TENS.get(word)))
            if value is None:
                return None
            digits += str(value)
            at += 1
    return digits or None


def parse_number(words: Sequence[str]) -> int | None:
    """Return the number that the words are: 'a hundred and five', 'two thousand ten', '1200'."""
    if not words:
        return None
    if len(words) == 1 and re.fullmatch(r"[0-9]{1,6}", words[0]):
        return int(words[0])
    if "thousand" not in words:
        return _parse_below_thousand(words)
    at = list(words).index("thousand")
    thousands = _parse_below_thousand(words[:at])
    rest = words[at + 1 :]
    if rest and rest[0] == "and":
        rest = rest[1:]
        if not rest:
            return None
    below = _parse_below_thousand(rest) if rest else 0
    if not thousands or below is None or (rest and below == 0):
        return None
    return thousands * 1000 + below


def _parse_below_thousand(words: Sequence[str]) -> int | None:
    if len(words) == 1 and re.fullmatch(r"[0-9]{1,3}", words[0]):
        return int(words[0])
    if "hundred" not in words:
        return _parse_below_hundred(words)
    at = list(words).index("hundred")
    hundreds = 1 if list(words[:at]) == ["a"] else _parse_below_hundred(words[:at])
    rest = words[at + 1 :]
    if rest and rest[0] == "and":
        rest = rest[1:]
        if not rest:
            return None
    below = _parse_below_hundred(rest) if rest else 0
    if hundreds is None or not 1 <= hundreds <= 9 or below is None or (rest and below == 0):
        return None
    return hundreds * 100 + below


def _parse_below_hundred(words: Sequence[str]) -> int | None:
    if len(words) == 1:
        return _UNDER_TWENTY.get(words[0], _TENS.get(words[0]))
    if len(words) == 2 and words[0] in _TENS and _DIGIT.get(words[1], 0) >= 1:
        return _TENS[words[0]] + _DIGIT[words[1]]
    return None


def say_number(number: int) -> str:
    """Write a number from 0 to 999,999 in words."""
    if number < 20:
        return (*DIGITS, *TEENS)[number]
    if number < 100:
        tens, unit = TENS[number // 10 - 2], number % 10
        return f"{tens} {DIGITS[unit]}" if unit else tens
    size, word = (100, "hundred") if number < 1000 else (1000, "thousand")
    head, rest = divmod(number, size)
    return f"{say_number(head)} {word} {say_number(rest)}" if rest else f"{say_number(head)} {word}"


def digits_wording(shortest: int, longest: int) -> Wording:
    """Return how `shortest` to `longest` digits are said, one by one."""
    phrase = "<digit> " * shortest + "[<digit> " * (longest - shortest) + "]" * (longest - shortest)
    return Wording((phrase,), {"digit": (*DIGITS, "oh")})


def number_wording(highest: int) -> Wording:
    """Return how numbers are said, up to 99, 999 or 999,999 as `highest` needs."""
    rules: dict[str, tuple[str, ...]] = {
        "unit": DIGITS[1:],
        "teen": TEENS,
        "tens": TENS,
        "below_hundred": ("<unit>", "<teen>", "<tens> [<unit>]"),
    }
    if highest < 100:
        return Wording(("zero", "<below_hundred>"), rules)
    more = "hundred [[and] <below_hundred>]"
    rules["below_thousand"] = (f"<unit> [{more}]", f"a {more}", "<teen>", "<tens> [<unit>]")
    if highest < 1000:
        return Wording(("zero", "<below_thousand>"), rules)
    return Wording(("zero", "<below_thousand> [thousand [[and] <below_thousand>]]"), rules)
