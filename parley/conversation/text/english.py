"""What English text writes shorter than it is said, as rules; the earlier of two that overlap wins."""

from __future__ import annotations

import re

from parley.conversation.text import english_numbers as numbers
from parley.conversation.text.written_out import Rule

_DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+"
_START, _STOP = r"(?<![\w.])", r"(?!\w)"
_MONTH = (
    r"(?P<month>Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|Aug(?:ust|\.)?"
    r"|Sept?(?:ember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_MONTH_OF = {name[:3].lower(): index for index, name in enumerate(numbers.MONTHS, start=1)}
_DAY = r"(?P<day>[0-3]?[0-9])"
_YEAR = r"(?P<year>(?:19|20)[0-9]{2})"

_ABBREVIATIONS = {
    **{"dr": "Doctor", "mr": "Mister", "mrs": "Missus", "ms": "Miss", "prof": "Professor", "rev": "Reverend"},
    **{"jr": "Junior", "sr": "Senior", "ave": "Avenue", "blvd": "Boulevard", "rd": "Road", "apt": "apartment"},
    **{"dept": "department", "ext": "extension", "approx": "approximately", "tel": "telephone", "inc": "incorporated"},
    **{"ltd": "limited", "corp": "corporation", "vs": "versus", "etc": "et cetera", "e.g": "for example"},
    **{"i.e": "that is", "hrs": "hours", "mins": "minutes", "appt": "appointment", "acct": "account"},
    **{"mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday"},
    **{"thur": "Thursday", "thurs": "Thursday", "fri": "Friday"},
    **{month[:3].lower(): month for month in numbers.MONTHS if month != "May"},
    "sept": "September",
}
_ONLY_BEFORE_NAMES = frozenset(
    {"dr", "mr", "mrs", "ms", "prof", "rev", "mon", "wed", "fri", "mar", "dec", "jan", "oct"}
)
"""Written with a capital; `no man. The …` and the like stay as they are."""


def _phone(match: re.Match[str]) -> str:
    groups = re.findall(r"[0-9]+", match.group())
    plus = "plus " if match.group().startswith("+") else ""
    return plus + ", ".join(numbers.spelled(group) for group in groups)


def _money(match: re.Match[str]) -> str:
    scale = match["scale"]
    if scale:
        amount = numbers.decimal(match["whole"], match["fraction"] or "")
        unit = numbers.money(match["currency"], "2", "").split()[-1]
        return f"{amount} {scale.lower()} {unit}"
    return numbers.money(match["currency"], match["whole"], match["fraction"] or "")


def _numeric_day(match: re.Match[str]) -> str | None:
    return numbers.day(match["year"], int(match["month"]), int(match["day"]))


def _named_day(match: re.Match[str]) -> str | None:
    return numbers.day(match["year"] or "", _MONTH_OF[match["month"][:3].lower()], int(match["day"]))


def _time(match: re.Match[str]) -> str | None:
    half = (match["half"] or "")[:1].lower()
    said = numbers.time_of_day(int(match["hour"]), int(match["minute"] or 0), half)
    # The stop of `9 a.m.` may be the sentence's too; the voice falls at it.
    ends = match.group().endswith(".") and match.end() == len(match.string.rstrip())
    return f"{said}." if said and ends else said


def _range(match: re.Match[str]) -> str:
    return f"{numbers.cardinal(match['low'])} to {numbers.cardinal(match['high'])}"


def _code(match: re.Match[str]) -> str:
    return ", ".join(numbers.spelled(part) for part in re.split(r"[-–]", match.group()))


def _number(match: re.Match[str]) -> str:
    minus = "minus " if match["minus"] else ""
    return minus + numbers.decimal(match["whole"], match["fraction"] or "")


def _abbreviation(match: re.Match[str]) -> str | None:
    short = match["short"].lower()
    if short in _ONLY_BEFORE_NAMES and not match["short"][0].isupper():
        return None
    ends = match.end() == len(match.string.rstrip())
    return _ABBREVIATIONS[short] + ("." if ends else "")


def _street_or_saint(match: re.Match[str]) -> str:
    before = match.string[: match.start()].split()
    after = match.string[match.end() :].lstrip()
    is_street = bool(before) and before[-1][0].isupper() and len(before) > 1
    name_follows = bool(after) and after[0].isupper()
    if name_follows and not is_street:
        return "Saint"
    return "Street" + ("" if after else ".")


def _spelled_phone(pattern: str) -> Rule:
    return Rule(re.compile(rf"(?<![\w.,-]){pattern}(?![\w-]|[.,][0-9])"), _phone)


RULES: tuple[Rule, ...] = (
    Rule(re.compile(rf"{_START}(?P<year>[0-9]{{4}})-(?P<month>[01]?[0-9])-{_DAY}{_STOP}"), _numeric_day),
    Rule(re.compile(rf"{_START}(?P<month>[01]?[0-9])/{_DAY}/{_YEAR}{_STOP}"), _numeric_day),
    _spelled_phone(r"\+[0-9]{1,3}(?:[ .-]?\(?[0-9]{2,4}\)?){2,4}"),
    _spelled_phone(r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}"),
    _spelled_phone(r"[2-9][0-9]{2}-[0-9]{4}"),
    Rule(
        re.compile(
            rf"(?<!\w)(?P<currency>US\$|[$€£¥]|USD|EUR|GBP|CNY) ?(?P<whole>{_DIGITS})(?:\.(?P<fraction>[0-9]+))?"
            r"(?: (?P<scale>thousand|million|billion))?(?!\w)",
        ),
        _money,
    ),
    Rule(re.compile(rf"\b{_MONTH} {_DAY}(?:st|nd|rd|th)?(?:,? {_YEAR})?{_STOP}"), _named_day),
    Rule(re.compile(rf"{_START}{_DAY}(?:st|nd|rd|th)? (?:of )?{_MONTH}(?:,? {_YEAR})?{_STOP}"), _named_day),
    Rule(
        re.compile(
            rf"{_START}(?P<hour>[0-2]?[0-9])(?::(?P<minute>[0-5][0-9]))? ?(?P<half>[aApP](?:\.[mM]\.?|[mM])){_STOP}"
        ),
        _time,
    ),
    Rule(re.compile(rf"{_START}(?P<hour>[0-2]?[0-9]):(?P<minute>[0-5][0-9])(?P<half>){_STOP}(?!:[0-9])"), _time),
    Rule(
        re.compile(rf"{_START}(?P<whole>{_DIGITS})(?:\.(?P<fraction>[0-9]+))? ?%"),
        lambda match: f"{numbers.decimal(match['whole'], match['fraction'] or '')} percent",
    ),
    Rule(re.compile(rf"{_START}(?P<n>{_DIGITS})(?:st|nd|rd|th){_STOP}"), lambda match: numbers.ordinal(match["n"])),
    Rule(
        re.compile(rf"(?<=\b[iI]n )(?P<n>(?:19|20)[0-9]{{2}}){_STOP}(?![.,][0-9])"),
        lambda match: numbers.year(match["n"]),
    ),
    Rule(re.compile(rf"\b[nN]os?\. ?(?={_DIGITS})|(?<!\w)#(?={_DIGITS})"), lambda _: "number "),
    Rule(re.compile(rf"{_START}(?P<low>{_DIGITS}) ?[–—] ?(?P<high>{_DIGITS}){_STOP}(?![.,][0-9])"), _range),
    Rule(re.compile(r"(?<![\w.])(?=[A-Za-z-]*[0-9])(?=[0-9-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?!\w)"), _code),
    Rule(re.compile(rf"{_START}[0-9]+(?:-[0-9]+)+{_STOP}"), _code),
    Rule(re.compile(rf"(?P<minus>(?<!\S)[-−])?(?<![0-9])(?P<whole>{_DIGITS})(?:\.(?P<fraction>[0-9]+))?"), _number),
    Rule(
        re.compile(
            # Small or capital in ASCII only: to Python a dotless i is an i, and a long s an s.
            rf"\b(?P<short>(?ai:{'|'.join(sorted(map(re.escape, _ABBREVIATIONS), key=len, reverse=True))}))\.(?!\w)",
        ),
        _abbreviation,
    ),
    Rule(re.compile(r"\bSt\."), _street_or_saint),
    Rule(re.compile(r"(?<=\s)&(?=\s)"), lambda _: "and"),
    Rule(re.compile(r"(?<![\w.,])\.(?=[0-9])"), lambda _: "point "),
    # What other expressions have left over: figures of any form are said, if need be one by one.
    Rule(re.compile("[0-9]+"), lambda match: numbers.cardinal(match.group())),
    Rule(re.compile("[0-9]"), lambda match: numbers.cardinal(match.group())),
)
