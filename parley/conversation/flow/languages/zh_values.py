"""Mandarin digits, numbers and days: characters to values and back.

Words are single characters (see `Mandarin.words`), so everything here works on the joined text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta

from parley.conversation.flow.languages.base import Wording, is_digits
from parley.conversation.flow.languages.calendar import (
    coming_date,
    coming_day_of_month,
    coming_weekday,
    weekday_of_next_week,
)

DIGITS = "零一二三四五六七八九"
WEEKDAYS = ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期天")

_DIGIT = {character: value for value, character in enumerate(DIGITS)} | {"幺": 1, "两": 2, "〇": 0, "洞": 0}
_UNITS = {"千": 1000, "百": 100, "十": 10}
_FIXED = {"今天": 0, "今日": 0, "明天": 1, "明日": 1, "后天": 2, "大后天": 3}
_WEEKDAY_TEXT = re.compile(r"(这个?|本|下个?)?(?:星期|礼拜|周)([一二三四五六日天])")
_DATE_TEXT = re.compile(r"(?:([0-9一二三四五六七八九十]{1,3})月(?:份)?)?([0-9一二三四五六七八九十]{1,3})[号日]")


def parse_digits(words: Sequence[str]) -> str | None:
    """Return the digits that the characters are; 幺 is one, as on the telephone."""
    if not words:
        return None
    found = [word if is_digits(word) else str(_DIGIT.get(word, "")) for word in words]
    return "".join(found) if all(found) else None


def parse_number(words: Sequence[str]) -> int | None:
    """Return the number that the characters are: 一百零五, 两千, 十二万, 120."""
    text = "".join(words)
    if re.fullmatch(r"[0-9]{1,6}", text):
        return int(text)
    if text == "零":
        return 0
    if "万" not in text:
        return _parse_below_ten_thousand(text)
    head, _, tail = text.partition("万")
    high = _parse_below_ten_thousand(head)
    low = _parse_below_ten_thousand(tail.removeprefix("零")) if tail else 0
    if low is not None and len(tail) == 1:
        low *= 1000  # 一万五 is 15000
    if high is None or high > 99 or low is None:
        return None
    return high * 10000 + low


def _parse_below_ten_thousand(text: str) -> int | None:
    total, last_unit, gap = 0, 10000, False
    rest = text
    while rest:
        digit = _DIGIT.get(rest[0])
        if digit == 0 and total and len(rest) > 1 and not gap:
            rest, gap = rest[1:], True
            continue
        if rest[0] == "十" and (total == 0 or gap):
            digit, unit, taken = 1, 10, 1
        elif digit:
            unit, taken = (_UNITS[rest[1]], 2) if rest[1:2] in _UNITS else (1, 1)
        else:
            return None
        if unit >= last_unit:
            return None
        if unit == 1 and last_unit in (100, 1000) and not gap:
            unit = last_unit // 10  # 一百一 is 110, not 101
        total += digit * unit
        last_unit, gap, rest = unit, False, rest[taken:]
    return total or None


def say_number(number: int) -> str:
    """Write a number from 0 to 999,999 in characters."""
    if number >= 10000:
        high, low = divmod(number, 10000)
        between = "零" if 0 < low < 1000 else ""
        return f"{say_number(high)}万{between}{_below_ten_thousand(low) if low else ''}"
    text = _below_ten_thousand(number) if number else "零"
    return text[1:] if text.startswith("一十") else text


def _below_ten_thousand(number: int) -> str:
    text, gap = "", False
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if digit:
            text += ("零" if gap and text else "") + DIGITS[digit] + unit
            gap = False
        else:
            gap = True
    return text


def parse_day(words: Sequence[str], today: date) -> date | None:
    """Return the day that the characters are: 明天, 星期四, 下周二, 三月五号.

    A bare weekday is the next such day after today; 下周二 is that of the next calendar week.
    """
    text = "".join(words)
    if text in _FIXED:
        return today + timedelta(days=_FIXED[text])
    if match := _WEEKDAY_TEXT.fullmatch(text):
        weekday = "一二三四五六日".find(match.group(2).replace("天", "日"))
        next_week = (match.group(1) or "").startswith("下")
        return weekday_of_next_week(weekday, today) if next_week else coming_weekday(weekday, today)
    if match := _DATE_TEXT.fullmatch(text):
        return _date_of(match.group(1), match.group(2), today)
    for weekday_text in _WEEKDAY_TEXT.finditer(text):
        if weekday_text.end() == len(text) and (match := _DATE_TEXT.fullmatch(text[: weekday_text.start()])):
            day = _date_of(match.group(1), match.group(2), today)
            weekday = "一二三四五六日".find(weekday_text.group(2).replace("天", "日"))
            return day if day is not None and day.weekday() == weekday else None
    return None


def _date_of(month: str | None, day: str, today: date) -> date | None:
    day_number = parse_number(day)
    month_number = parse_number(month) if month else None
    if day_number is None or not 1 <= day_number <= 31 or (month and month_number is None):
        return None
    if month_number is None:
        return coming_day_of_month(day_number, today)
    return coming_date(month_number, day_number, today)


def say_day(day: date, today: date) -> str:
    """Write a day as seen from today: 今天, 明天, 星期四, or with its date when further away."""
    days = (day - today).days
    if days in (0, 1, 2):
        return ("今天", "明天", "后天")[days]
    return WEEKDAYS[day.weekday()] if 2 < days < 7 else say_date(day)


def say_date(day: date) -> str:
    """Write a day with its date: 三月五号，星期四."""
    return f"{say_number(day.month)}月{say_number(day.day)}号，{WEEKDAYS[day.weekday()]}"


def digits_wording(shortest: int, longest: int) -> Wording:
    """Return how digits are said, one by one."""
    phrase = "<digit>" * shortest + "[<digit>" * (longest - shortest) + "]" * (longest - shortest)
    return Wording((phrase,), {"digit": (*DIGITS, "幺")})


def number_wording(highest: int) -> Wording:
    """Return how numbers are said, up to 99, 9999 or 999,999 as `highest` needs."""
    rules: dict[str, tuple[str, ...]] = {
        "unit": tuple(DIGITS[1:]),
        "below_hundred": ("<unit>", "[<unit>] 十 [<unit>]"),
    }
    if highest < 100:
        return Wording(("零", "<below_hundred>"), rules)
    rules["below_thousand"] = ("<below_hundred>", "(<unit> | 两) 百 [[零] <below_hundred>]")
    rules["below_ten_thousand"] = ("<below_thousand>", "(<unit> | 两) 千 [[零] <below_thousand>]")
    phrases = ("零", "<below_ten_thousand>")
    if highest < 10000:
        return Wording(phrases, rules)
    return Wording((*phrases, "(<below_hundred> | 两) 万 [[零] <below_ten_thousand>]"), rules)


DAY_WORDING = Wording(
    phrases=(
        "(今天 | 明天 | 后天 | 大后天)",
        "[这 | 这个 | 下 | 下个] <weekday>",
        "[<month> 月] <day_of_month> (号 | 日)",
    ),
    rules={
        "weekday": ("(星期 | 礼拜 | 周) (一 | 二 | 三 | 四 | 五 | 六 | 日 | 天)",),
        "month": ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"),
        "day_of_month": tuple(say_number(day) for day in range(1, 32)),
    },
    short=("<weekday>", "今天", "明天"),
)
