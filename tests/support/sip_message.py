"""SIP messages as values: parse and write (RFC 3261 §7), without any state.

Strict enough for a test phone on loopback; folded headers and bodies other than text are not needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote

_COMPACT = {"i": "call-id", "f": "from", "t": "to", "v": "via", "m": "contact", "l": "content-length"}


class MalformedSip(ValueError):
    """The octets are no SIP message."""


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A request or a response."""

    start_line: str
    headers: tuple[tuple[str, str], ...]
    """In their order, names as they were written."""
    body: str = ""

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Parse a datagram. Raises MalformedSip."""
        head, _, body = octets.decode("utf-8", "replace").partition("\r\n\r\n")
        start_line, *lines = head.split("\r\n")
        headers = [line.partition(":") for line in lines]
        if len(start_line.split()) < 3 or not all(colon for _, colon, _ in headers):
            raise MalformedSip(start_line)
        return cls(start_line, tuple((name.strip(), value.strip()) for name, _, value in headers), body)

    def encode(self) -> bytes:
        """Write the message, with its Content-Length."""
        body = self.body.encode()
        lines = [self.start_line, *(f"{name}: {value}" for name, value in self.headers), f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body

    @property
    def is_request(self) -> bool:
        """Tell a request from a response."""
        return not self.start_line.startswith("SIP/2.0 ")

    @property
    def method(self) -> str:
        """The request's method, or the one that the response answers."""
        return self.start_line.split()[0] if self.is_request else self.cseq[1]

    @property
    def code(self) -> int:
        """The response's status code, 0 for a request."""
        return 0 if self.is_request else int(self.start_line.split()[1])

    @property
    def cseq(self) -> tuple[int, str]:
        """Sequence number and method."""
        number, _, method = self.header("CSeq").partition(" ")
        return int(number or 0), method.strip()

    def header(self, name: str) -> str:
        """Return the first header of this name, empty when there is none."""
        return next(iter(self.all_of(name)), "")

    def all_of(self, name: str) -> list[str]:
        """Return every header of this name, in order; compact forms count."""
        wanted = name.lower()
        return [value for key, value in self.headers if _COMPACT.get(key.lower(), key.lower()) == wanted]

    @property
    def call_id(self) -> str:
        """The dialog's Call-ID."""
        return self.header("Call-ID")


@dataclass(frozen=True, slots=True)
class NameAddress:
    """The value of From, To, Contact: a display name, an address and a tag."""

    uri: str
    name: str = ""
    tag: str = ""

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse `"name" <uri>;tag=...`, whatever characters the name holds."""
        quoted = re.match(r'\s*"((?:[^"\\]|\\.)*)"\s*', value)
        rest = value[quoted.end() :] if quoted else value
        bracketed = re.match(r"([^<]*)<([^>]+)>(.*)", rest)
        name = re.sub(r"\\(.)", r"\1", quoted.group(1)) if quoted else ""
        if bracketed is None:
            uri, _, parameters = rest.partition(";")
            return cls(uri.strip(), name, _tag(parameters))
        return cls(bracketed.group(2), name or bracketed.group(1).strip(), _tag(bracketed.group(3)))

    @property
    def user(self) -> str:
        """The part of the address before `@`."""
        found = re.match(r"sips?:([^@;]+)@", self.uri)
        return unquote(found.group(1)) if found else ""

    def __str__(self) -> str:
        escaped = re.sub(r'(["\\])', r"\\\1", self.name)
        name = f'"{escaped}" ' if self.name else ""
        return f"{name}<{self.uri}>{f';tag={self.tag}' if self.tag else ''}"


def _tag(parameters: str) -> str:
    found = re.search(r"tag=([^;>\s]+)", parameters)
    return found.group(1) if found else ""


def sip_uri(user: str, host: str, port: int) -> str:
    """Return `sip:user@host:port` with the user part escaped."""
    return f"sip:{quote(user, safe='+*#-_.!~')}@{host}:{port}"


@dataclass(frozen=True, slots=True)
class AudioDescription:
    """The one audio stream of an SDP body (RFC 4566, RFC 3264)."""

    host: str
    port: int
    payload_types: tuple[int, ...]
    """In order of preference, telephone-event included."""
    event_type: int | None = None
    """Payload type of RFC 4733 telephone events."""
    direction: str = "sendrecv"
    extra: dict[int, str] = field(default_factory=dict)
    """rtpmap values by payload type."""

    @classmethod
    def parse(cls, body: str) -> Self | None:
        """Parse an SDP body; None when it has no audio stream."""
        media = re.search(r"^m=audio (\d+) \S+ ([\d ]+)", body, re.MULTILINE)
        host = re.search(r"^c=IN IP4 (\S+)", body, re.MULTILINE)
        if media is None or host is None:
            return None
        maps = {int(kind): name for kind, name in re.findall(r"^a=rtpmap:(\d+) (\S+)", body, re.MULTILINE)}
        direction = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", body, re.MULTILINE)
        return cls(
            host=host.group(1),
            port=int(media.group(1)),
            payload_types=tuple(int(kind) for kind in media.group(2).split()),
            event_type=next((kind for kind, name in maps.items() if name.startswith("telephone-event")), None),
            direction=direction.group(1) if direction else "sendrecv",
            extra=maps,
        )

    def encode(self, session: int, version: int) -> str:
        """Write the SDP body."""
        kinds = " ".join(str(kind) for kind in self.payload_types)
        lines = [
            "v=0",
            f"o=- {session} {version} IN IP4 {self.host}",
            "s=-",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=audio {self.port} RTP/AVP {kinds}",
            *(f"a=rtpmap:{kind} {name}" for kind, name in self.extra.items()),
            f"a={self.direction}",
            "a=ptime:20",
        ]
        if self.event_type is not None:
            lines.append(f"a=fmtp:{self.event_type} 0-16")
        return "\r\n".join([*lines, ""])
