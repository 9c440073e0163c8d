"""Where the doctor looks in the dialplan; the rest of it is tried on a real Asterisk (tests/e2e/test_doctor.py)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parley.app.doctor import dialplan_places
from parley.app.settings import Settings
from parley.app.settings_tables import AmiSettings, AsteriskSettings, AudioSocketAppSettings

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
