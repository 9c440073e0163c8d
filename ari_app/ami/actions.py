"""An AMI action that cannot break out of its lines. `client` makes them, `connection` sends them.

An action is a block of `Key: value` lines; a line end in a key or a value would begin another header, or another
action, with all the rights that we have.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from itertools import count

from panoramisk.actions import Action
from panoramisk.message import Message

from parley.call_control import InvalidRequest, PbxRefused, PbxUnavailable
from parley.call_control.validation import without_control_characters

MAX_LINE = 1000
"""Octets of one line. Asterisk refuses the whole action beyond 1023."""
MAX_ANSWERS = 10_000
"""Messages of one answer."""

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_numbers = count(1)
_ours = f"parley-{secrets.token_hex(4)}-"


def is_own_id(action_id: str) -> bool:
    """Tell whether this process has made the ActionID: an event that carries it belongs to an answer."""
    return action_id.startswith(_ours)


class AmiAction(Action):
    """One action and what came back. Create it inside the event loop.

    Keys and values are checked however they get in: control characters in values become spaces. Raises InvalidRequest
    for a key that is none, and for a line longer than MAX_LINE.
    """

    def __init__(self, name: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__({**(fields or {}), "Action": name, "ActionID": f"{_ours}{next(_numbers)}"})
        self.name = name
        if name.lower() == "originate":
            # Without it Asterisk's answer comes when the call is over, and in words that panoramisk cannot read.
            self["Async"] = "true"

    def __repr__(self) -> str:
        return f"AmiAction({self.name!r})"

    def __setitem__(self, key: str, value: object) -> None:
        if not _KEY.fullmatch(key):
            raise InvalidRequest(f"AMI header {key[:64]!r}: use letters, digits, - and _")
        text = without_control_characters(str(value))
        if len(f"{key}: {text}".encode()) > MAX_LINE:
            raise InvalidRequest(f"AMI header {key}: its line is longer than {MAX_LINE} octets")
        super().__setitem__(key, text)

    @property
    def multi(self) -> bool:
        """Whether more messages follow the first: a list, or the outcome of an attempt to call somebody."""
        first = self.responses[0]
        if first.response != "Success":
            return False
        return bool(first.eventlist == "start" or self.get("Action", "").lower() == "originate")

    def add_message(self, message: Message) -> bool:
        """Take one message of the answer; return whether nothing more is awaited."""
        if len(self.responses) >= MAX_ANSWERS:
            self.fail(PbxRefused(f"Asterisk's answer has more than {MAX_ANSWERS} messages"))
            return True
        return bool(super().add_message(message))

    def fail(self, error: PbxRefused | PbxUnavailable) -> None:
        """Give up waiting: whoever awaits the answer gets the error. Nothing once the answer is complete."""
        if not self.future.done():
            self.future.set_exception(error)
