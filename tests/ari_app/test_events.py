import json

import pytest

from ari_app.events import (
    ApplicationReplaced,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    MalformedEvent,
    StasisStart,
    parse_channel,
    parse_event,
)
from tests.ari_app.captured import FOLDER, captured_events


def test_start_carries_arguments_caller_place_and_variables() -> None:
    start = captured_events("inbound_answered_key_caller_hangs_up")[0]
    assert isinstance(start, StasisStart)
    assert start.arguments == ("agent=reception", "retries=2")
    channel = start.channel
    assert (channel.caller_number, channel.extension, channel.state) == ("caller", "100", "Ring")
    assert (channel.app_name, channel.app_data) == ("Stasis", "parley,agent=reception,retries=2")
    assert channel.variables["SITE_NOTE"] == "gold, 5% {off}"


def test_key_carries_its_duration_and_time() -> None:
    [key] = [
        event
        for event in captured_events("inbound_answered_key_caller_hangs_up")
        if isinstance(event, ChannelDtmfReceived)
    ]
    assert (key.digit, key.duration_ms, key.at_ms) == ("5", 120, 1795327779456)


@pytest.mark.parametrize("timestamp", ["", '"timestamp": null, ', '"timestamp": "soon", '])
def test_key_without_a_time_is_a_key(timestamp: str) -> None:
    text = f'{{"type": "ChannelDtmfReceived", {timestamp}"channel": {{"id": "a"}}, "digit": "1", "duration_ms": 80}}'
    assert parse_event(text) == ChannelDtmfReceived("a", "1", 80, None)


def test_hangup_from_inside_has_no_cause_because_the_field_holds_a_flag() -> None:
    [request] = [event for event in captured_events("inbound_hung_up_by_us") if isinstance(event, ChannelHangupRequest)]
    assert request.soft
    assert request.cause is None


def test_refusal_carries_q850_and_sip_codes() -> None:
    destroyed = captured_events("outbound_busy")[-1]
    assert destroyed == ChannelDestroyed("parley-leg.o2", cause=17, tech_cause=486)


def test_replaced_application_is_named() -> None:
    assert captured_events("application_replaced") == [ApplicationReplaced("parley")]


def test_every_captured_message_parses_and_other_kinds_are_skipped() -> None:
    for path in FOLDER.glob("*.json"):
        for message in json.loads(path.read_text(encoding="utf-8")):
            event = parse_event(json.dumps(message))
            known = message["type"] not in {"Dial", "ChannelConnectedLine", "ChannelDialplan"}
            assert (event is not None) == (known and not message["type"].endswith("Bridge")), message["type"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"type": "StasisStart"}',
        '{"type": "StasisStart", "channel": {}, "args": []}',
        '{"type": "StasisStart", "channel": [], "args": []}',
        '{"type": "StasisEnd", "channel": null}',
        '{"type": "ChannelDestroyed", "channel": {"id": "a"}, "cause": "busy"}',
        '{"type": "ChannelDtmfReceived", "channel": {"id": "a"}, "digit": "1"}',
        '{"type": ["StasisEnd"]}',
    ],
)
def test_malformed_message_is_named_so(text: str) -> None:
    with pytest.raises(MalformedEvent):
        parse_event(text)


def test_channel_of_an_old_asterisk_has_empty_fields() -> None:
    channel = parse_channel({"id": "1.2", "state": "Up"})
    assert (channel.id, channel.state, channel.caller_number, channel.app_data) == ("1.2", "Up", "", "")
    with pytest.raises(MalformedEvent):
        parse_channel({"state": "Up"})
