"""Where the doctor looks in the dialplan, and at ports; the rest is tried on a real Asterisk (tests/e2e)."""

from __future__ import annotations

import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from parley.app.doctor import check_record, check_standby_ports, dialplan_places
from parley.app.findings import Level
from parley.app.settings import Settings
from parley.app.settings_tables import (
    AmiSettings,
    AsteriskSettings,
    AudioSocketAppSettings,
    HttpSettings,
    MediaSettings,
)
from parley.store import Database

SUBROUTINES = Path(__file__).resolve().parents[2] / "dialplans" / "asterisk" / "extensions_parley.conf"


@pytest.mark.parametrize("by_audiosocket", [False, True])
def test_every_place_that_parley_sends_calls_to_is_looked_for_and_in_the_shipped_dialplan(by_audiosocket: bool) -> None:
    asterisk = AsteriskSettings(
        ami=AmiSettings(username="parley"), audiosocket_app=AudioSocketAppSettings(enabled=by_audiosocket)
    )
    places = dialplan_places(Settings(asterisk=asterisk))
    expected = [("parley", "s"), ("parley-transfer", "s"), ("parley-moved", "s"), ("parley-timer", "stop")]
    assert places == expected + [("parley-audiosocket", "s")] * by_audiosocket
    text = SUBROUTINES.read_text(encoding="utf-8")
    contexts = dict(re.findall(r"^\[([\w-]+)\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL))
    assert [place for place in places if f"exten => {place[1]},1," not in contexts[place[0]]] == []


def test_ports_of_upgrades_that_somebody_else_has_are_told_with_their_settings() -> None:
    with socket.create_server(("127.0.0.1", 0)) as http, socket.create_server(("127.0.0.1", 0)) as audio:
        http_port, audio_port = http.getsockname()[1], audio.getsockname()[1]
        settings = Settings(
            http=HttpSettings(standby_port=http_port),
            media=MediaSettings(transport="audiosocket", audiosocket_standby_port=audio_port),
        )
        found = list(check_standby_ports(settings))
    assert [finding.level for finding in found] == [Level.WARNING, Level.WARNING]
    assert f"127.0.0.1:{http_port}" in found[0].detail
    assert "[http] standby_port" in found[0].fix
    assert f"127.0.0.1:{audio_port}" in found[1].detail
    assert "[media] audiosocket_standby_port" in found[1].fix
    assert [finding.level for finding in check_standby_ports(settings)] == [Level.OK, Level.OK]


def test_port_of_upgrades_is_the_one_behind_where_none_is_set() -> None:
    [found] = check_standby_ports(Settings(http=HttpSettings(port=40001)))
    assert "127.0.0.1:40002" in found.detail


def test_before_the_first_start_there_is_no_record_to_complain_of(tmp_path: Path) -> None:
    assert list(check_record(tmp_path / "parley.db")) == []


async def test_record_that_a_node_made_is_well(tmp_path: Path) -> None:
    file = tmp_path / "parley.db"
    await (await Database.open(f"sqlite+aiosqlite:///{file}")).aclose()
    [finding] = check_record(file)
    assert (finding.level, finding.check) == (Level.OK, "record")


async def test_record_of_a_newer_parley_is_a_problem_before_the_node_says_so(tmp_path: Path) -> None:
    file = tmp_path / "parley.db"
    await (await Database.open(f"sqlite+aiosqlite:///{file}")).aclose()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    [finding] = check_record(file)
    assert (finding.level, finding.check) == (Level.PROBLEM, "record")
    assert "newer Parley" in finding.detail
