"""Check what goes into a request to Asterisk, beyond the rules that all PBXs share.

`rest` already encodes every value so that it arrives literally; these rules are about what Asterisk then does with it:
a dial string, a Refer-To header, a caller ID and an argument list are parsed again on the other side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from parley.call_control import DialplanTarget, InvalidRequest, OriginateRequest, SipTarget
from parley.call_control.validation import without_control_characters

MAX_CHANNEL_ID = 149
"""AST_MAX_PUBLIC_UNIQUEID of Asterisk."""

_APPLICATION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CHANNEL_ID = re.compile(r"[\x21-\x7e]+")
_DESTINATION = re.compile(r"[A-Za-z0-9]+/[\x21-\x7e]{1,250}")
_NUMBER = re.compile(r"[A-Za-z0-9+*#._-]{0,80}")
_CONTEXT = re.compile(r"[A-Za-z0-9_.-]{1,79}")
_EXTENSION = re.compile(r"[A-Za-z0-9_.*#+-]{1,79}")
_SIP_URI = re.compile(r"sips?:[A-Za-z0-9._+*#~-]{1,80}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})(?::[0-9]{1,5})?")
_NOT_IN_A_NAME = re.compile(r'["<>\\]')


def checked_application(application: str) -> str:
    """Return the Stasis application name. A full stop is not allowed: it separates the parts of our own ids."""
    if not _APPLICATION.fullmatch(application):
        raise InvalidRequest(f"application name {application[:64]!r}: use 1 to 64 of A-Z, a-z, 0-9, _ and -")
    return application


def checked_channel_id(channel_id: str) -> str:
    """Return the id if it can be a channel's: printable ASCII without spaces, at most 149 characters."""
    if len(channel_id) > MAX_CHANNEL_ID or not _CHANNEL_ID.fullmatch(channel_id):
        raise InvalidRequest("a leg id has 1 to 149 printable ASCII characters and no spaces")
    return channel_id


def checked_sip_uri(target: SipTarget) -> str:
    """Return the URI if it is `sip:user@host[:port]` and nothing else.

    Asterisk copies it into Refer-To as it is: parameters, headers and angle brackets would act there.
    """
    if not _SIP_URI.fullmatch(target.uri):
        raise InvalidRequest("a SIP target must read sip:user@host or sip:user@host:port, without parameters")
    return target.uri


def is_place(context: str, extension: str) -> bool:
    """Tell whether these can be context and extension, and nothing else acts in them where a dial string is parsed."""
    return _CONTEXT.fullmatch(context) is not None and _EXTENSION.fullmatch(extension) is not None


def is_number(text: str) -> bool:
    """Tell whether this can be shown as a calling number."""
    return bool(text) and _NUMBER.fullmatch(text) is not None


def checked_place(target: DialplanTarget) -> DialplanTarget:
    """Return the place if context, extension and priority can exist in a dialplan."""
    if not _CONTEXT.fullmatch(target.context) or not _EXTENSION.fullmatch(target.extension) or target.priority < 1:
        raise InvalidRequest("a place in the dialplan is a context and an extension of plain characters, priority ≥ 1")
    return target


def checked_destination(request: OriginateRequest) -> str:
    """Return the dial string if it reads `Technology/resource` in printable characters."""
    if not _DESTINATION.fullmatch(request.destination):
        raise InvalidRequest("a destination reads Technology/resource, for instance PJSIP/agent1 or Local/100@default")
    return request.destination


def caller_id_of(request: OriginateRequest) -> str:
    """Return `"name" <number>` (or less, or nothing) with whatever would end a part of it taken out of the name."""
    if not _NUMBER.fullmatch(request.caller_id):
        raise InvalidRequest("a caller id is a number: use digits, letters and + * # . _ -")
    name = _NOT_IN_A_NAME.sub("", without_control_characters(request.caller_name))[:80]
    if not name:
        return request.caller_id
    return f'"{name}" <{request.caller_id}>'


def joined_arguments(arguments: Sequence[str]) -> str:
    """Return the arguments as Stasis takes them, separated by commas."""
    if any("," in argument or without_control_characters(argument) != argument for argument in arguments):
        raise InvalidRequest("an argument must not hold commas, control characters or spaces at its ends")
    return ",".join(arguments)
