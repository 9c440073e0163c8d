"""AudioSocket's messages as a PBX writes and reads them: octets in, messages out, and back."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

_HEADER = struct.Struct("!BH")


class Kind(IntEnum):
    """What a message holds."""

    HANGUP = 0x00
    ID = 0x01
    DTMF = 0x03
    SLIN = 0x10
    SLIN16 = 0x12
    ERROR = 0xFF


AUDIO_KIND = {"slin": Kind.SLIN, "slin16": Kind.SLIN16}


@dataclass(slots=True)
class Message:
    """One message."""

    kind: int
    payload: bytes


class MessageReader:
    """Cuts what comes over a connection into messages, however it was split on the way."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def add(self, octets: bytes) -> None:
        """Take what came."""
        self._octets += octets

    def next(self) -> Message | None:
        """Return the next message that is complete."""
        if len(self._octets) < _HEADER.size:
            return None
        kind, length = _HEADER.unpack_from(self._octets)
        end = _HEADER.size + length
        if end > len(self._octets):
            return None
        payload = bytes(self._octets[_HEADER.size : end])
        del self._octets[:end]
        return Message(kind, payload)


def encode(kind: Kind, payload: bytes = b"") -> bytes:
    """Return the message on the wire."""
    return _HEADER.pack(kind, len(payload)) + payload
