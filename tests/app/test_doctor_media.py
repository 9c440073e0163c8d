"""What the doctor says of the audio, given what Asterisk answered; the real round trip is in tests/e2e/."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ari_app.asterisk_info import AsteriskInfo
from parley.app.audio_probe import RoundTrip
from parley.app.doctor_media import check_audiosocket_port, check_round_trip, check_transport
from parley.app.findings import Level
from parley.app.settings import Settings
from parley.app.settings_tables import AmiSettings, AsteriskSettings, AudioSocketAppSettings, MediaSettings


def settings_with(**media: Any) -> Settings:
    return Settings(media=MediaSettings(**media), asterisk=AsteriskSettings(url="http://pbx.example:8088/ari"))


@pytest.mark.parametrize(
    ("version", "new_enough"),
    [
        ("22.10.1~dfsg+~cs6", True),
        ("22.8.0", True),
        ("22.7.0", False),
        ("20.18.2", True),
        ("20.17.0", False),
        ("21.12.1", False),
        ("23.2.0", True),
        ("23.1.0", False),
        ("24.0.0", True),
        ("18.26.4", False),
        ("certified/22.8-cert1", True),
        ("GIT-master-1a2b3c", True),
    ],
)
def test_asterisk_without_json_on_media_websockets_is_told(version: str, new_enough: bool) -> None:
    info = AsteriskInfo(version)
    found = list(check_transport(info, MediaSettings(transport="websocket")))
    assert [finding.level for finding in found] == ([] if new_enough else [Level.PROBLEM])
    assert list(check_transport(info, MediaSettings())) == []


@pytest.mark.parametrize(
    ("version", "new_enough"), [("22.7.0", True), ("22.6.1", False), ("21.12.0", True), ("18.2", False)]
)
def test_asterisk_without_wideband_over_audiosocket_is_told(version: str, new_enough: bool) -> None:
    info = AsteriskInfo(version)
    found = list(check_transport(info, MediaSettings(transport="audiosocket")))
    assert [finding.level for finding in found] == ([] if new_enough else [Level.PROBLEM])
    assert all('codec = "slin"' in finding.fix for finding in found)
    assert list(check_transport(info, MediaSettings(transport="audiosocket", codec="slin"))) == []


@pytest.mark.parametrize(
    ("media", "named"),
    [
        ({}, "127.0.0.1:21000-21998 (UDP)"),
        ({"transport": "audiosocket"}, "127.0.0.1:9092 (TCP)"),
        ({"transport": "websocket"}, "media/"),
    ],
)
def test_tones_that_do_not_come_through_name_the_way_to_look_at(media: dict[str, Any], named: str) -> None:
    trip = RoundTrip((600, 0), ("slin",), True, {})
    [finding] = check_round_trip(trip, settings_with(**media))
    assert (finding.level, finding.check) == (Level.PROBLEM, "audio")
    assert "600 and 0 ms" in finding.detail
    assert named in finding.fix


@pytest.mark.parametrize(
    ("media", "warned"),
    [
        ({}, False),
        ({"transport": "websocket"}, True),
        ({"transport": "audiosocket"}, True),
        ({"transport": "websocket", "codec": "slin"}, False),
    ],
)
def test_wideband_that_cannot_be_seen_is_a_warning_where_it_matters(media: dict[str, Any], warned: bool) -> None:
    fine, *more = check_round_trip(RoundTrip((600, 600), ("slin", "slin16"), False, {}), settings_with(**media))
    assert fine.level is Level.OK
    assert "slin and slin16" in fine.detail
    assert [finding.level for finding in more] == ([Level.WARNING] if warned else [])
    assert all("CHANNEL(audionativeformat)" in finding.fix for finding in more)


def test_audiosocket_port_that_is_taken_is_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        by_app = AsteriskSettings(
            ami=AmiSettings(username="parley"), audiosocket_app=AudioSocketAppSettings(enabled=True)
        )
        of_all_calls = settings_with(transport="audiosocket", audiosocket_port=port)
        of_some_calls = Settings(media=MediaSettings(audiosocket_port=port), asterisk=by_app)
        for settings in (of_all_calls, of_some_calls):
            found = check_audiosocket_port(settings)
            assert found is not None
            assert f"127.0.0.1:{port}" in found.detail
        assert check_audiosocket_port(settings_with(audiosocket_port=port)) is None
    assert check_audiosocket_port(of_all_calls) is None
