"""AudioSocket's messages: octets in, messages out, and back. Pure, no I/O.

A message is one octet of kind, two of length (big-endian) and the payload. Asterisk sends the kinds of `Kind`; it
closes the connection without a word when a call ends.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from audio_fork.errors import BadPeer

ID_OCTETS = 16
MAX_PAYLOAD_OCTETS = 32_000
"""A second of 16 kHz audio. Asterisk sends 20 ms at a time."""
_HEADER = struct.Struct("!BH")


class Kind(IntEnum):
    """What a message holds."""

    HANGUP = 0x00
    ID = 0x01
    """The connection's UUID, binary; the first message of every connection."""
    DTMF = 0x03
    """One key, ASCII."""
    SLIN = 0x10
    """Linear PCM, little-endian, 8 kHz; the kinds up to 0x18 are higher rates."""
    SLIN16 = 0x12
    ERROR = 0xFF


AUDIO_KIND = {"slin": Kind.SLIN, "slin16": Kind.SLIN16}
"""Kind of the audio messages of a codec."""
AUDIO_KINDS = range(0x10, 0x19)
"""All rates that Asterisk knows."""


@dataclass(slots=True)
class Message:
    """One message; `kind` may be one that has no name here."""

    kind: int
    payload: bytes


class MessageReader:
    """Cuts what comes over a connection into messages, however it was split on the way."""

    def __init__(self, max_payload_octets: int = MAX_PAYLOAD_OCTETS) -> None:
        """Begin at the start of a message."""
        self.max_payload_octets = max_payload_octets
        """Longer messages are none of the PBX's."""
        self._octets = bytearray()

    def add(self, octets: bytes) -> None:
        """Take what came."""
        self._octets += octets

    def next(self) -> Message | None:
        """Return the next message that is complete.

        Raises BadPeer for a message longer than `max_payload_octets`: its sender is no AudioSocket, or has lost its
        place in the stream. Nothing useful can follow.
        """
        if len(self._octets) < _HEADER.size:
            return None
        kind, length = _HEADER.unpack_from(self._octets)
        if length > self.max_payload_octets:
            raise BadPeer(f"an AudioSocket message of kind {kind:#04x} with {length} octets")
        end = _HEADER.size + length
        if end > len(self._octets):
            return None
        payload = bytes(self._octets[_HEADER.size : end])
        del self._octets[:end]
        return Message(kind, payload)


def encode(kind: Kind, payload: bytes = b"") -> bytes:
    """Return the message on the wire."""
    return _HEADER.pack(kind, len(payload)) + payload


def connection_id_of(message: Message) -> str:
    """Return the UUID of an identifying message, lower case. Raises BadPeer for any other message."""
    if message.kind != Kind.ID or len(message.payload) != ID_OCTETS:
        raise BadPeer("the first message of an AudioSocket connection must be its id")
    return str(UUID(bytes=message.payload))
