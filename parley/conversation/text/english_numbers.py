"""English numbers, days and times as they are said."""

from __future__ import annotations

from datetime import date

from num2words import num2words

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MOST_DIGITS = 12
"""Longer strings of digits are no amounts but codes: they are said digit by digit."""
GROUP = 4
"""Digits of a code that are said in one breath."""

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("dollar", "dollars", "cent", "cents"),
    "USD": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "¥": ("yuan", "yuan", "fen", "fen"),
    "CNY": ("yuan", "yuan", "fen", "fen"),
}


def cardinal(digits: str) -> str:
    """Say a whole number, such as '1,250'; more digits than an amount has are said one by one."""
    plain = digits.replace(",", "")
    if len(plain) > MOST_DIGITS or (len(plain) > 1 and plain[0] == "0"):
        return spelled(plain)
    return _words(num2words(int(plain)))


def decimal(digits: str, fraction: str) -> str:
    """Say '3.50' as 'three point five zero'."""
    whole = cardinal(digits or "0")
    return f"{whole} point {spelled(fraction, group=len(fraction))}" if fraction else whole


def ordinal(digits: str) -> str:
    """Say '25' as 'twenty-fifth'."""
    plain = digits.replace(",", "")
    return spelled(plain) if len(plain) > MOST_DIGITS else _words(num2words(int(plain), to="ordinal"))


def spelled(code: str, group: int = GROUP) -> str:
    """Say a code one character after the other, with a pause behind every `group` of them."""
    said = [num2words(int(char)) if char in "0123456789" else char.upper() for char in code]
    return ", ".join(" ".join(said[at : at + group]) for at in range(0, len(said), max(1, group)))


def money(currency: str, digits: str, fraction: str) -> str:
    """Say an amount: '$1,250.50' as 'one thousand two hundred fifty dollars and fifty cents'.

    currency: a key of the known ones.   fraction: empty, or one or two digits; others are said as a decimal.
    """
    one, many, small_one, small_many = _CURRENCIES[currency]
    if len(fraction) not in (0, 2):
        return f"{decimal(digits, fraction)} {many}"
    whole, small = digits.replace(",", "").lstrip("0"), int(fraction or 0)  # no integer: there may be thousands
    units = f"{cardinal(digits)} {one if whole == '1' else many}"
    if not small:
        return units
    cents = f"{cardinal(str(small))} {small_one if small == 1 else small_many}"
    return f"{units} and {cents}" if whole else cents


def year(digits: str) -> str:
    """Say a year: '1905' as 'nineteen oh five'."""
    return _words(num2words(int(digits), to="year")).replace("oh-", "oh ")


def day(year_digits: str, month: int, day_of_month: int) -> str | None:
    """Say a date: 'March fifth, twenty twenty-six'; None where there is no such day. year_digits: or empty."""
    try:
        date(int(year_digits or 2000), month, day_of_month)  # 2000 is a leap year
    except ValueError:
        return None
    said = f"{MONTHS[month - 1]} {ordinal(str(day_of_month))}"
    return f"{said}, {year(year_digits)}" if year_digits else said


def time_of_day(hour: int, minute: int, half: str) -> str | None:
    """Say a time: 'nine thirty a m', 'nine o'clock', 'fourteen oh five'; None where there is none such.

    half: `a`, `p`, or empty.
    """
    if hour > (12 if half else 23) or minute > 59 or (half and hour == 0):
        return None
    hours = cardinal(str(hour))
    if half:
        minutes = "" if minute == 0 else f" {_minutes(minute)}"
        return f"{hours}{minutes} {half} m"
    if minute:
        return f"{hours} {_minutes(minute)}"
    return f"{hours} o'clock" if 1 <= hour <= 12 else f"{hours} hundred"


def _minutes(minute: int) -> str:
    return f"oh {cardinal(str(minute))}" if minute < 10 else cardinal(str(minute))


def _words(said: str) -> str:
    """Leave out what num2words says the British way."""
    return said.replace(" and ", " ").replace(",", "")
