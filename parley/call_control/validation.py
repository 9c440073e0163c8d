"""Check arguments of the call-control port before any PBX sees them.

Every adapter and the fake apply the same rules, so a request that is wrong for one PBX is wrong for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from parley.call_control.errors import InvalidRequest

MAX_VARIABLE_NAME = 80
MAX_VARIABLE_VALUE = 8000
"""Characters. Longer values are cut: PBX channel variables are not meant for documents."""
MAX_DIGITS = 64

_VARIABLE_NAME = re.compile(r"[A-Z0-9_]+")
_DIGITS = re.compile(r"[0-9*#ABCD]+")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def without_control_characters(text: str) -> str:
    """Return `text` with every run of control characters replaced by one space, and the ends trimmed.

    CR, LF and NUL would end a protocol line; lone surrogates cannot be encoded.
    """
    return _CONTROL_CHARACTERS.sub(" ", text).strip()


def checked_digits(digits: str) -> str:
    """Return `digits` unchanged; raises InvalidRequest unless it is 1 to 64 of `0123456789*#ABCD`."""
    if len(digits) > MAX_DIGITS or not _DIGITS.fullmatch(digits):
        raise InvalidRequest(f"DTMF must be 1 to {MAX_DIGITS} of the characters 0123456789*#ABCD")
    return digits


def checked_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with harmless values; raises InvalidRequest for a name that no PBX could hold."""
    for name in variables:
        if len(name) > MAX_VARIABLE_NAME or not _VARIABLE_NAME.fullmatch(name):
            raise InvalidRequest(
                f"channel variable name {name[:MAX_VARIABLE_NAME]!r}: "
                f"use 1 to {MAX_VARIABLE_NAME} of the characters A-Z, 0-9 and _"
            )
    return {name: without_control_characters(value)[:MAX_VARIABLE_VALUE] for name, value in variables.items()}
