"""`parley doctor` on a real Asterisk: all well, and one thing at a time taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from parley.app.doctor import examine
from parley.app.findings import Finding, Level
from parley.app.settings import Settings, load_settings
from tests.support.asterisk import Asterisk, require_asterisk

pytestmark = pytest.mark.e2e


def settings_for(pbx: Asterisk, folder: Path, password: str = "") -> Settings:
    (folder / "ari.password").write_text(password or pbx.ari_password, encoding="utf-8")
    (folder / "parley.toml").write_text(
        f"""
        [asterisk]
        url = "{pbx.ari_url}/ari"
        password_file = "ari.password"
        [agents.reception]
        flow = "appointment"
        fallback_queue = "support"
        """,
        encoding="utf-8",
    )
    return load_settings(folder / "parley.toml")


async def findings(settings: Settings) -> list[Finding]:
    return [finding async for finding in examine(settings)]


def problems(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.level is Level.PROBLEM]


async def test_well_set_up_asterisk_has_no_problem_and_carries_audio_both_ways(tmp_path: Path) -> None:
    require_asterisk()
    async with Asterisk() as pbx:
        found = await findings(settings_for(pbx, tmp_path))
        channels = await pbx.channels()
    assert not problems(found), problems(found)
    checks = {finding.check: finding.detail for finding in found}
    assert "both directions" in checks["audio"]
    assert checks["queue"] == "support is there"
    assert channels == []


async def test_wrong_password_names_the_user_and_the_file(tmp_path: Path) -> None:
    require_asterisk()
    async with Asterisk() as pbx:
        [problem] = problems(await findings(settings_for(pbx, tmp_path, "wrong")))
    assert "ari.conf" in problem.detail
    assert "wrong" not in problem.detail
