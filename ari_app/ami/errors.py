"""Say what went wrong between us and AMI, in words that tell an admin what to fix.

    PbxRefused
    └── AmiRefused      AMI answered an action with an error; `reason` holds Asterisk's own words

`client` raises what these functions return. None of the texts holds the password or an action's values.
"""

from __future__ import annotations

import re

from parley.call_control import PbxRefused, PbxUnavailable
from parley.call_control.validation import without_control_characters

_MAX_REASON = 200
_NO_SUCH_CHANNEL = re.compile(
    r"no such channel|(extra)?channel\d?( specified)? (does not exist|not found)\b", re.IGNORECASE
)
"""Every action has words of its own for it: tests/data/ami_refusals/no_such_channel.txt."""


class AmiRefused(PbxRefused):
    """Asterisk understood the action and refused it."""

    code = "ami_refused"

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
        """For instance `No such channel`, `Permission denied`."""

    @property
    def no_such_channel(self) -> bool:
        """Whether the channel that the action names does not exist (any more)."""
        return _NO_SUCH_CHANNEL.match(self.reason) is not None


def connection_error(err: OSError | TimeoutError, place: str, deadline_s: float) -> PbxUnavailable:
    """Return the error for a port that nobody answers at."""
    if isinstance(err, ConnectionRefusedError):
        return PbxUnavailable(
            f"nothing listens at {place}: in manager.conf, [general], set enabled = yes with this bindaddr and port, "
            "then asterisk -rx 'manager reload'"
        )
    if isinstance(err, TimeoutError):
        return PbxUnavailable(f"AMI at {place} did not answer within {deadline_s:g} s")
    return PbxUnavailable(f"no connection to AMI at {place} ({type(err).__name__}): correct asterisk.ami.host")


def ended_early(reason: str, place: str, is_ami: bool) -> PbxRefused | PbxUnavailable:
    """Return the error for a connection that ended before we could log in."""
    if not is_ami:
        return PbxRefused(f"what listens at {place} is not AMI ({reason}): correct asterisk.ami.host and port")
    return PbxUnavailable(
        f"AMI at {place}: {reason}; does permit in manager.conf let this address in, and is authlimit reached?"
    )


def login_refused(username: str) -> PbxRefused:
    """Return the error for a refused login."""
    return PbxRefused(
        f"Asterisk refuses the AMI user {username!r}: compare user name and password with the section [{username}] of "
        "manager.conf (secret), look at its permit and deny lines, then asterisk -rx 'manager reload'"
    )


def refusal(action: str, reason: str, username: str) -> AmiRefused:
    """Return the error for an action that Asterisk has refused with these words."""
    reason = without_control_characters(reason)[:_MAX_REASON] or "no reason given"
    hint = f": give [{username}] of manager.conf the class in `write`" if reason == "Permission denied" else ""
    return AmiRefused(f"Asterisk refused the AMI action {action}: {reason}{hint}", reason)
