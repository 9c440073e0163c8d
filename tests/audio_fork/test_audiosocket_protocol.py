from __future__ import annotations

import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_fork.audiosocket_protocol import (
    MAX_PAYLOAD_OCTETS,
    Kind,
    Message,
    MessageReader,
    connection_id_of,
    encode,
)
from audio_fork.errors import BadPeer

IDENTITY = uuid.UUID("6e0a3c1e-1c5a-4b5e-9d0e-0123456789ab")


def everything(reader: MessageReader) -> list[Message]:
    messages = []
    while (message := reader.next()) is not None:
        messages.append(message)
    return messages


@given(
    payloads=st.lists(st.tuples(st.sampled_from(list(Kind)), st.binary(max_size=700)), max_size=8),
    cuts=st.lists(st.integers(0, 6000), max_size=12),
)
def test_messages_come_out_whole_however_they_were_split(payloads: list[tuple[Kind, bytes]], cuts: list[int]) -> None:
    stream = b"".join(encode(kind, payload) for kind, payload in payloads)
    reader, seen = MessageReader(), []
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, end in pairwise(borders):
        reader.add(stream[start:end])
        seen += everything(reader)
    assert seen == [Message(kind, payload) for kind, payload in payloads]


def test_a_frame_is_written_as_asterisk_reads_it() -> None:
    assert encode(Kind.SLIN, bytes(320)) == b"\x10\x01\x40" + bytes(320)
    assert encode(Kind.SLIN16, bytes(640))[:3] == b"\x12\x02\x80"
    assert encode(Kind.HANGUP) == b"\0\0\0"


def test_a_message_longer_than_any_of_asterisks_is_refused_before_it_has_come() -> None:
    reader = MessageReader()
    reader.add(b"\x10" + (MAX_PAYLOAD_OCTETS + 1).to_bytes(2, "big"))
    with pytest.raises(BadPeer):
        reader.next()


def test_a_reader_that_waits_for_an_id_takes_nothing_longer() -> None:
    reader = MessageReader(max_payload_octets=16)
    reader.add(b"GET / HTTP/1.1\r\n")
    with pytest.raises(BadPeer):
        reader.next()


def test_the_id_is_read_as_a_uuid() -> None:
    assert connection_id_of(Message(Kind.ID, IDENTITY.bytes)) == str(IDENTITY)


@pytest.mark.parametrize(
    "message", [Message(Kind.SLIN, IDENTITY.bytes), Message(Kind.ID, b""), Message(Kind.ID, IDENTITY.bytes + b"x")]
)
def test_anything_else_is_no_id(message: Message) -> None:
    with pytest.raises(BadPeer, match="first message"):
        connection_id_of(message)
