"""The id that a connection begins with, however it comes; the messages behind it are tried in tests/native."""

from __future__ import annotations

import uuid

import pytest

from audio_fork.audiosocket_protocol import IdMessage
from audio_fork.errors import BadPeer
from tests.support.audiosocket import Kind, encode

IDENTITY = uuid.UUID("6e0a3c1e-1c5a-4b5e-9d0e-0123456789ab")


def read(octets: bytes, at_once: int) -> tuple[str | None, int]:
    """Return the id, and how many octets have been taken for it."""
    message, taken = IdMessage(), 0
    while taken < len(octets):
        room = message.room()
        size = min(at_once, len(room), len(octets) - taken)
        room[:size] = octets[taken : taken + size]
        taken += size
        found = message.came(size)
        if found is not None:
            return found, taken
    return None, taken


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 18, 19, 4096])
def test_the_id_is_read_as_a_uuid_and_nothing_behind_it_is_taken(at_once: int) -> None:
    octets = encode(Kind.ID, IDENTITY.bytes) + encode(Kind.SLIN, bytes(320))
    assert read(octets, at_once) == (str(IDENTITY), 19)


def test_an_id_that_is_not_whole_is_waited_for() -> None:
    assert read(encode(Kind.ID, IDENTITY.bytes)[:-1], 7) == (None, 18)


@pytest.mark.parametrize(
    "octets", [encode(Kind.SLIN, IDENTITY.bytes), encode(Kind.ID), encode(Kind.ID, IDENTITY.bytes + b"x"), b"GET / HT"]
)
def test_anything_else_is_no_id_as_soon_as_its_header_has_come(octets: bytes) -> None:
    with pytest.raises(BadPeer, match="first message"):
        read(octets[:3], 1)
