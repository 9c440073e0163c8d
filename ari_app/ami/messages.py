"""AMI's octets as messages: bytes in, messages out, no I/O. `connection` feeds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from panoramisk.message import Message

MAX_MESSAGE = 65_536
"""Octets of one message; the largest that Asterisk sends (a list of all commands) has a quarter of that."""
MAX_BANNER = 256

_BANNER = b"Asterisk Call Manager/"
_LINE_END, _MESSAGE_END = b"\r\n", b"\r\n\r\n"


class NotAmi(Exception):
    """The other side does not speak AMI; the message says what it does."""


@dataclass(frozen=True, slots=True)
class AmiEvent:
    """What Asterisk told without having been asked."""

    name: str
    """For instance `QueueCallerJoin`."""
    fields: Mapping[str, str]
    """Headers by Asterisk's own names. Values may come from callers: they hold no line end, but are not checked."""

    def get(self, name: str) -> str:
        """Return a header's value, empty when it is missing."""
        return self.fields.get(name, "")


class AmiReader:
    """The receiving side of one connection.

    Text is decoded message by message, so that a character cut in two by the network arrives whole.
    """

    def __init__(self) -> None:
        self.version = ""
        """Of the protocol; empty until the other side has greeted us."""
        self._buffer = bytearray()

    def feed(self, octets: bytes) -> list[Message]:
        """Take what came from the network; return the messages that it completes. Raises NotAmi."""
        searched = max(0, len(self._buffer) - len(_MESSAGE_END) + 1)
        self._buffer += octets
        if not self.version:
            if not self._take_banner():
                return []
            searched = 0
        messages: list[Message] = []
        while (end := self._buffer.find(_MESSAGE_END, searched)) >= 0:
            message = _message_of(bytes(self._buffer[:end]))
            del self._buffer[: end + len(_MESSAGE_END)]
            searched = 0
            if message is not None:
                messages.append(message)
        if len(self._buffer) > MAX_MESSAGE:
            raise NotAmi(f"it sends a message of more than {MAX_MESSAGE} octets")
        return messages

    def _take_banner(self) -> bool:
        """Read the first line, which must be Asterisk's; return whether it is there."""
        begun = bytes(self._buffer[: len(_BANNER)])
        if not _BANNER.startswith(begun) or (len(self._buffer) > MAX_BANNER and _LINE_END not in self._buffer):
            raise NotAmi("it does not greet as Asterisk does")
        line, found, rest = self._buffer.partition(_LINE_END)
        if not found:
            return False
        self.version = bytes(line[len(_BANNER) :]).decode(errors="replace").strip() or "unknown"
        self._buffer = rest
        return True


def event_of(message: Message) -> AmiEvent:
    """Return a message that is an event as plain text values."""
    fields = {str(name): str(value) for name, value in message.items() if name != "content"}
    return AmiEvent(fields.get("Event", ""), fields)


def _message_of(octets: bytes) -> Message | None:
    """Read one message; None for what is neither an event nor a response.

    Of a header that comes more than once the first counts: Asterisk's own come before anything a caller controls.
    """
    message: Message | None = Message.from_line(octets.decode("utf-8", errors="replace").strip("\r\n"))
    if message is not None:
        for name, value in list(message.items()):
            if isinstance(value, list):
                message[name] = value[0]
    return message
