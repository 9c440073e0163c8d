"""AMI's octets as messages, however the network cuts them."""

from __future__ import annotations

import pytest

from ari_app.ami.messages import AmiReader, NotAmi, event_of
from tests.ari_app.ami_server import BANNER

JOINED = "Event: QueueCallerJoin\r\nUniqueid: 1.5\r\nCallerIDName: 张伟 é\r\nQueue: \r\n\r\n".encode()
ANSWER = b"Response: Success\r\nActionID: parley-1\r\nMessage: Authentication accepted\r\n\r\n"


@pytest.mark.parametrize("size", range(1, 60))
def test_messages_are_the_same_however_they_are_cut(size: int) -> None:
    octets = BANNER + ANSWER + JOINED + ANSWER
    reader = AmiReader()
    messages = [
        message for begin in range(0, len(octets), size) for message in reader.feed(octets[begin : begin + size])
    ]
    assert [message.id for message in messages] == ["parley-1", None, "parley-1"]
    event = event_of(messages[1])
    assert dict(event.fields) == {"Event": "QueueCallerJoin", "Uniqueid": "1.5", "CallerIDName": "张伟 é", "Queue": ""}
    assert reader.version == "11.0.0"


def test_octets_that_are_no_text_cost_one_character_and_no_message() -> None:
    reader = AmiReader()
    [message] = reader.feed(BANNER + b"Event: Hangup\r\nCallerIDName: \xff\xfe\r\nUniqueid: 1\r\n\r\n")
    assert event_of(message).get("CallerIDName") == "\ufffd\ufffd"
    assert event_of(message).get("Uniqueid") == "1"


def test_message_that_is_neither_event_nor_response_is_skipped() -> None:
    reader = AmiReader()
    assert reader.feed(BANNER + b"\r\n\r\nhello\r\n\r\nKey: value\r\n\r\n") == []


def test_of_a_repeated_header_the_first_counts() -> None:
    [message] = AmiReader().feed(BANNER + b"Event: Hangup\r\nCause: 16\r\nCause: 17\r\nEvent: Other\r\n\r\n")
    assert dict(event_of(message).fields) == {"Event": "Hangup", "Cause": "16"}


def test_header_name_of_another_case_is_found_as_asterisk_writes_it_first() -> None:
    [message] = AmiReader().feed(BANNER + b"Event: Hangup\r\nUniqueid: 1\r\n\r\n")
    assert message.get("UniqueID") == "1"
    assert event_of(message).get("Uniqueid") == "1"


@pytest.mark.parametrize("octets", [b"HTTP/1.1 400 Bad Request\r\n", b"Asterisk Call Mangler/", b"\0"])
def test_other_greeting_is_not_ami(octets: bytes) -> None:
    with pytest.raises(NotAmi, match="greet"):
        AmiReader().feed(octets)


def test_message_without_end_is_not_kept() -> None:
    reader = AmiReader()
    reader.feed(BANNER + b"A" * 65_536)
    with pytest.raises(NotAmi, match="more than 65536 octets"):
        reader.feed(b"A")
