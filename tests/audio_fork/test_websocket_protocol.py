from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_fork.errors import BadPeer
from audio_fork.websocket_protocol import (
    FLUSH,
    GET_STATUS,
    MAX_COMMAND_OCTETS,
    MAX_EVENT_CHARACTERS,
    START_BUFFERING,
    FaultReported,
    KeyReported,
    MarkProcessed,
    MediaEvent,
    MediaStarted,
    OtherEvent,
    Paused,
    Resumed,
    StatusReported,
    mark_command,
    parse_event,
    stop_buffering_command,
)

STARTED = (
    '{"event":"MEDIA_START","connection_id":"7fd1a04c","channel":"WebSocket/INCOMING/0x7fd5fc007b80",'
    '"channel_id":"em-1","format":"slin16","optimal_frame_size":640,"ptime":20,'
    '"channel_variables":{"MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE":"640"}}'
)
STATUS = (
    '{"event":"STATUS","channel_id":"em-1","queue_length":0,"xon_level":800,"xoff_level":900,'
    '"queue_full":false,"bulk_media":false,"media_paused":false}'
)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        (STARTED, MediaStarted("slin16", 640)),
        (STATUS, StatusReported()),
        ('{"event":"MEDIA_MARK_PROCESSED","channel_id":"em-1","correlation_id":"7"}', MarkProcessed("7")),
        ('{"event":"MEDIA_BUFFERING_COMPLETED","channel_id":"em-1","correlation_id":"8"}', MarkProcessed("8")),
        ('{"event":"MEDIA_XOFF","channel_id":"em-1"}', Paused()),
        ('{"event":"MEDIA_XON","channel_id":"em-1"}', Resumed()),
        ('{"event":"DTMF_END","channel_id":"em-1","digit":"5"}', KeyReported("5")),
        ('{"event":"ERROR","channel_id":"em-1","error_text":"no"}', FaultReported("no")),
        ('{"event":"QUEUE_DRAINED","channel_id":"em-1"}', OtherEvent("QUEUE_DRAINED")),
    ],
)
def test_what_asterisk_sends_is_read(text: str, event: MediaEvent) -> None:
    assert parse_event(text) == event


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MEDIA_XON",
        "null",
        "[]",
        "{}",
        '{"event":{}}',
        '{"event":"DTMF_END"}',
        '{"event":"MEDIA_START","format":"slin","optimal_frame_size":"many"}',
        "[" * MAX_EVENT_CHARACTERS,
        '{"event":' * 1500,
        '{"event":"' + "x" * MAX_EVENT_CHARACTERS + '"}',
    ],
)
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(BadPeer):
        parse_event(text)


@given(st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(BadPeer):
        parse_event(text)


def test_commands_are_short_json_with_the_names_that_asterisk_knows() -> None:
    commands = [START_BUFFERING, FLUSH, GET_STATUS, mark_command("12"), stop_buffering_command("13")]
    assert [json.loads(command)["command"] for command in commands] == [
        "START_MEDIA_BUFFERING",
        "FLUSH_MEDIA",
        "GET_STATUS",
        "MARK_MEDIA",
        "STOP_MEDIA_BUFFERING",
    ]
    assert json.loads(commands[3])["correlation_id"] == "12"
    assert all(len(command) <= MAX_COMMAND_OCTETS for command in commands)


def test_a_command_that_asterisk_would_ignore_is_never_made() -> None:
    with pytest.raises(ValueError, match="ignored"):
        mark_command("1" * 100)
