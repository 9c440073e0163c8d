"""Check arguments of the call-control port before any PBX sees them.

Every adapter and the fake apply the same rules, so a request that is wrong for one PBX is wrong for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from parley.call_control.errors import InvalidRequest
from parley.call_control.vocabulary import (
    AUDIOSOCKET_CODECS,
    RTP_CODECS,
    WEBSOCKET_CODECS,
    AudioCodec,
    AudioSocketTarget,
    AudioTarget,
    RtpTarget,
)

MAX_VARIABLE_NAME = 80
MAX_VARIABLE_VALUE = 8000
"""Characters. Longer values are cut: PBX channel variables are not meant for documents."""
MAX_DIGITS = 64

_VARIABLE_NAME = re.compile(r"[A-Z0-9_]+")
_DIGITS = re.compile(r"[0-9*#ABCD]+")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|[0-9A-Fa-f:.]{2,45}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
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


def checked_target(target: AudioTarget) -> AudioTarget:
    """Return the audio target unchanged; raises InvalidRequest for an address, id or codec that cannot work."""
    if not isinstance(target, RtpTarget | AudioSocketTarget):
        _check_codec("a WebSocket", target.codec, WEBSOCKET_CODECS)
        return target
    if isinstance(target, RtpTarget):
        _check_codec("RTP", target.codec, RTP_CODECS)
    else:
        _check_codec("AudioSocket", target.codec, AUDIOSOCKET_CODECS)
        if not _UUID.fullmatch(target.connection_id):
            raise InvalidRequest("an AudioSocket connection id is a UUID in lower case")
    if not _HOST.fullmatch(target.host) or not 1 <= target.port <= 65535:
        raise InvalidRequest("an audio target needs a host name or IP address, and a port from 1 to 65535")
    return target


def _check_codec(transport: str, codec: AudioCodec, carried: frozenset[AudioCodec]) -> None:
    if codec not in carried:
        raise InvalidRequest(
            f"{codec.value} does not travel both ways over {transport}; use one of {', '.join(sorted(carried))}"
        )
