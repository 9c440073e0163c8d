"""The first message of an AudioSocket connection, by which the PBX shows who it is, and the last. Pure, no I/O.

A message is one octet of kind, two of length (big-endian) and the payload. What follows the id is read by the media
engine (media_core/native/audiosocket.h).
"""

from __future__ import annotations

import struct
from uuid import UUID

from audio_fork.errors import BadPeer

ID_KIND = 0x01
ID_OCTETS = 16
"""The connection's UUID, binary."""
_HEADER = struct.Struct("!BH")
HANG_UP = bytes(_HEADER.size)
"""The message after which the PBX closes the connection, and its caller goes on in the dialplan."""


class IdMessage:
    """Takes the message as it comes, and not an octet more."""

    def __init__(self) -> None:
        """Begin at the start of a connection."""
        self._octets = bytearray(_HEADER.size + ID_OCTETS)
        self._size = 0

    def room(self) -> memoryview:
        """Return where the octets that are missing belong."""
        return memoryview(self._octets)[self._size :]

    def came(self, octets: int) -> str | None:
        """Note that so many have been written there; return the id, lower case, when it is whole.

        Raises BadPeer as soon as it is clear that this is no id.
        """
        self._size += octets
        if self._size >= _HEADER.size and _HEADER.unpack_from(self._octets) != (ID_KIND, ID_OCTETS):
            raise BadPeer("the first message of an AudioSocket connection must be its id")
        if self._size < len(self._octets):
            return None
        return str(UUID(bytes=bytes(self._octets[_HEADER.size :])))
