"""What Mandarin text writes in figures, as rules; the earlier of two that overlap wins."""

from __future__ import annotations

import re
from datetime import date

from cn2an import an2cn

from parley.conversation.text.written_out import Rule

MOST_DIGITS = 12
"""Longer strings of digits are no amounts but codes: they are said digit by digit."""

_FIGURES = "零一二三四五六七八九"
_DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+"
_ALONE, _STOP = r"(?<![A-Za-z0-9.])", r"(?![A-Za-z0-9])"
_MEASURES = "个位名天次张条份件种块元家间杯本页趟遍层台辆点分秒周年"
"""Behind these words of measure a single 2 is 两; 月 and 号 number things and are not among them."""
_ORDINAL = "第周期月"


def spelled(code: str, *, one: str = "一") -> str:
    """Say a code character by character; one: how a 1 is said, 幺 in telephone numbers."""
    figures = _FIGURES.replace("一", one)
    said = "".join(figures[int(char)] if char in "0123456789" else f" {char.upper()} " for char in code)
    return " ".join(said.split())


def cardinal(digits: str) -> str:
    """Say a whole number; more digits than an amount has are said one by one."""
    plain = digits.replace(",", "")
    if len(plain) > MOST_DIGITS or (len(plain) > 1 and plain[0] == "0"):
        return spelled(plain)
    said = str(an2cn(plain))
    return said.removeprefix("一") if said.startswith("一十") else said


def decimal(digits: str, fraction: str | None) -> str:
    """Say '3.5' as 三点五."""
    return cardinal(digits) + (f"点{spelled(fraction)}" if fraction else "")


def _phone(match: re.Match[str]) -> str:
    groups = re.findall(r"[0-9]+", match.group())
    if len(groups) == 1 and len(groups[0]) == 11:
        groups = [groups[0][:3], groups[0][3:7], groups[0][7:]]
    return "，".join(spelled(group, one="幺") for group in groups)


def _day(match: re.Match[str]) -> str | None:
    year, month, day = match["year"] or "", int(match["month"]), int(match["day"])
    try:
        date(int(year or 2000), month, day)  # 2000 is a leap year
    except ValueError:
        return None
    years = f"{spelled(year)}年" if year else ""
    return f"{years}{cardinal(str(month))}月{cardinal(str(day))}{_word_of_day(match)}"


def _word_of_day(match: re.Match[str]) -> str:
    return "号" if match.group().endswith("号") else "日"


def _time(match: re.Match[str]) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 23 or minute > 59:
        return None
    hours = "两点" if hour == 2 else f"{cardinal(str(hour))}点"
    if minute == 0:
        return hours
    return f"{hours}{'零' if minute < 10 else ''}{cardinal(str(minute))}分"


def _yuan(match: re.Match[str]) -> str:
    whole, fraction = match["whole"], match["fraction"] or ""
    if len(fraction) > 2:
        return f"{decimal(whole, fraction)}元"
    tenths, hundredths = (int(digit) for digit in fraction.ljust(2, "0"))
    is_zero = not whole.strip("0,")
    said = "" if is_zero and (tenths or hundredths) else f"{_measured(whole)}元"
    if tenths:
        said += f"{_FIGURES[tenths]}角"
    if hundredths:
        said += f"{'零' if said and not tenths else ''}{_FIGURES[hundredths]}分"
    return said


def _foreign_money(match: re.Match[str]) -> str:
    unit = {"$": "美元", "US$": "美元", "€": "欧元", "£": "英镑"}[match["currency"]]
    return f"{decimal(match['whole'], match['fraction'])}{unit}"


def _measured(digits: str) -> str:
    """Say a number before a word of measure."""
    return "两" if digits == "2" else cardinal(digits)


def _percent(match: re.Match[str]) -> str:
    return f"百分之{decimal(match['whole'], match['fraction'])}"


def _range(match: re.Match[str]) -> str:
    return f"{cardinal(match['low'])}到{cardinal(match['high'])}"


def _code(match: re.Match[str]) -> str:
    return "，".join(spelled(part) for part in match.group().split("-"))


def _number(match: re.Match[str]) -> str:
    minus = "负" if match["minus"] else ""
    return minus + decimal(match["whole"], match["fraction"])


RULES: tuple[Rule, ...] = (
    Rule(
        re.compile(
            rf"{_ALONE}(?P<year>[0-9]{{4}})(?P<sep>[-/.])(?P<month>[01]?[0-9])(?P=sep)(?P<day>[0-3]?[0-9]){_STOP}"
        ),
        _day,
    ),
    Rule(
        re.compile(rf"{_ALONE}(?:(?P<year>[0-9]{{4}}) ?年 ?)?(?P<month>[01]?[0-9]) ?月 ?(?P<day>[0-3]?[0-9]) ?[日号]"),
        _day,
    ),
    Rule(re.compile(r"(?<![A-Za-z0-9.])(?P<year>[0-9]{4})(?= ?年)"), lambda match: spelled(match["year"])),
    Rule(re.compile(rf"(?<![A-Za-z0-9.-])(?:\+?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{{4}}){{2}}{_STOP}(?!-)"), _phone),
    Rule(
        re.compile(rf"(?<![A-Za-z0-9.-])(?:0[0-9]{{2,3}}-[0-9]{{7,8}}|[48]00-[0-9]{{3,4}}-[0-9]{{3,4}}){_STOP}"), _phone
    ),
    Rule(re.compile(rf"{_ALONE}(?P<hour>[0-2]?[0-9])[:：](?P<minute>[0-5][0-9]){_STOP}(?![:：][0-9])"), _time),
    Rule(re.compile(rf"[¥￥] ?(?P<whole>{_DIGITS})(?:\.(?P<fraction>[0-9]+))?(?: ?元)?"), _yuan),
    Rule(re.compile(rf"{_ALONE}(?P<whole>{_DIGITS})(?:\.(?P<fraction>[0-9]+))? ?元"), _yuan),
    Rule(re.compile(rf"(?P<currency>US\$|[$€£]) ?(?P<whole>{_DIGITS})(?:\.(?P<fraction>[0-9]+))?"), _foreign_money),
    Rule(re.compile(rf"{_ALONE}(?P<whole>{_DIGITS})(?:\.(?P<fraction>[0-9]+))? ?[%％]"), _percent),
    Rule(
        re.compile(rf"{_ALONE}(?<![-~])(?P<low>{_DIGITS}) ?[-–—~～] ?(?P<high>{_DIGITS})(?![-A-Za-z0-9.~])"),
        _range,
    ),
    Rule(
        re.compile(
            r"(?<![A-Za-z0-9.-])(?=[A-Za-z-]*[0-9])(?=[0-9-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?![A-Za-z0-9])"
        ),
        _code,
    ),
    Rule(re.compile(r"(?<![A-Za-z0-9.-])[0-9]+(?:-[0-9]+)+(?![A-Za-z0-9])"), _code),
    Rule(re.compile(rf"(?<![{_ORDINAL}0-9.,A-Za-z])2(?= ?[{_MEASURES}])"), lambda _: "两"),
    Rule(re.compile(rf"(?P<minus>(?<![\w-])[-−])?(?<![0-9])(?P<whole>{_DIGITS})(?:\.(?P<fraction>[0-9]+))?"), _number),
    # What other expressions have left over: figures of any form are said, if need be one by one.
    Rule(re.compile("[0-9]+"), lambda match: cardinal(match.group())),
    Rule(re.compile("[0-9]"), lambda match: cardinal(match.group())),
)
