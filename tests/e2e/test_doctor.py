"""`parley doctor` on a real Asterisk: all well, and one thing at a time taken away."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from parley.app.doctor import examine
from parley.app.doctor_version import ABSENT_BEFORE_18, OLDEST_MAJOR
from parley.app.findings import Finding, Level
from parley.app.settings import Settings, load_settings
from tests.support.asterisk import Asterisk, require_asterisk

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    """One Asterisk, set up as the repository has it."""
    async with Asterisk(program=require_asterisk()) as running:
        yield running


def settings_for(
    pbx: Asterisk, folder: Path, *, password: str = "", url: str = "", queue: str = "support", ami: str = ""
) -> Settings:
    (folder / "ari.password").write_text(password or pbx.ari_password, encoding="utf-8")
    (folder / "parley.toml").write_text(
        f"""
        [asterisk]
        url = "{url or pbx.ari_url + "/ari"}"
        password_file = "ari.password"
        {ami}
        [agents.reception]
        flow = "appointment"
        fallback_queue = "{queue}"
        """,
        encoding="utf-8",
    )
    return load_settings(folder / "parley.toml")


async def findings(settings: Settings) -> list[Finding]:
    return [finding async for finding in examine(settings)]


async def problems(settings: Settings) -> list[Finding]:
    return [finding for finding in await findings(settings) if finding.level is Level.PROBLEM]


async def test_well_set_up_asterisk_has_no_problem_and_carries_audio_both_ways(pbx: Asterisk, tmp_path: Path) -> None:
    found = await findings(settings_for(pbx, tmp_path))
    assert not [finding for finding in found if finding.level is Level.PROBLEM]
    checks = {finding.check: finding.detail for finding in found}
    assert "both directions" in checks["audio"]
    assert checks["queue"] == "support is there"
    await pbx.wait_until_idle()


async def test_command_writes_findings_only_and_folds_no_line_that_a_program_reads(
    pbx: Asterisk, tmp_path: Path
) -> None:
    settings_for(pbx, tmp_path)
    file = tmp_path / "parley.toml"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parley.app.cli", "doctor", "--config", str(file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    shown, complaints = await process.communicate()
    assert complaints == b""
    assert "round trip through Asterisk over rtp, both directions" in shown.decode()


async def test_what_this_version_lacks_is_listed_and_nothing_for_one_that_is_supported(
    pbx: Asterisk, tmp_path: Path
) -> None:
    found = await findings(settings_for(pbx, tmp_path))
    absent = [(finding.detail, finding.fix) for finding in found if finding.check == "absent"]
    assert absent == list(ABSENT_BEFORE_18 if pbx.program.major < OLDEST_MAJOR else ())


async def test_wrong_password_names_the_user_and_the_file(pbx: Asterisk, tmp_path: Path) -> None:
    [problem] = await problems(settings_for(pbx, tmp_path, password="not-the-password"))
    assert problem.check == "ARI login"
    assert "'parley'" in problem.detail
    assert "ari.conf" in problem.detail
    assert "not-the-password" not in problem.detail
    assert "ari.conf" in problem.fix


async def test_port_where_nothing_listens_is_told_with_what_to_switch_on(pbx: Asterisk, tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        [problem] = await problems(settings_for(pbx, tmp_path, url=f"http://127.0.0.1:{port}/ari"))
    assert problem.check == "Asterisk"
    assert f"nothing listens at 127.0.0.1:{port}" in problem.detail
    assert "http.conf" in problem.detail
    assert problem.fix


async def test_address_without_ari_is_told_with_the_modules_to_load(pbx: Asterisk, tmp_path: Path) -> None:
    [problem] = await problems(settings_for(pbx, tmp_path, url=pbx.ari_url + "/elsewhere/ari"))
    assert "no ARI under /elsewhere/ari" in problem.detail
    assert "res_ari.so" in problem.detail
    assert "prefix" in problem.detail


async def test_queue_that_does_not_exist_is_named_with_the_file_to_add_it_to(pbx: Asterisk, tmp_path: Path) -> None:
    [problem] = await problems(settings_for(pbx, tmp_path, queue="nowhere"))
    assert (problem.check, problem.detail) == ("queue", "no queue nowhere")
    assert "[nowhere] to queues.conf" in problem.fix


async def test_missing_subroutines_are_named_with_the_line_to_add(pbx: Asterisk, tmp_path: Path) -> None:
    contexts = ["parley", "parley-transfer", "parley-moved", "parley-timer"]
    for context in contexts:
        await pbx.cli(f"dialplan remove context {context}")
    try:
        found = await problems(settings_for(pbx, tmp_path))
    finally:
        await pbx.cli("dialplan reload")
    assert [(problem.check, problem.detail) for problem in found] == [
        ("dialplan", f"[{context}] is not in the dialplan") for context in contexts
    ]
    assert all("#include extensions_parley.conf" in problem.fix for problem in found)


async def test_module_that_is_not_loaded_is_named_with_its_purpose_and_fix(tmp_path: Path) -> None:
    additions = {"modules.conf": "noload = chan_rtp.so"}
    async with Asterisk(program=require_asterisk(), additions=additions) as pbx:
        module, audio = await problems(settings_for(pbx, tmp_path))
    assert "chan_rtp.so is not running: media legs" in module.detail
    assert "module load chan_rtp.so" in module.fix
    assert "load = chan_rtp.so" in module.fix
    assert audio.check == "audio"


def with_ami(
    pbx: Asterisk, folder: Path, *, username: str = "parley", password: str = "", port: int = 0, more: str = ""
) -> Settings:
    (folder / "ami.password").write_text(password or pbx.ami_password, encoding="utf-8")
    table = f'[asterisk.ami]\nusername = "{username}"\npassword_file = "ami.password"\nport = {port or pbx.ami_port}'
    return settings_for(pbx, folder, ami=f"{table}\n{more}")


async def ami_findings(settings: Settings) -> list[Finding]:
    return [finding for finding in await findings(settings) if finding.check.startswith("AMI")]


async def test_ami_that_the_site_has_not_set_up_is_not_looked_at(pbx: Asterisk, tmp_path: Path) -> None:
    assert await ami_findings(settings_for(pbx, tmp_path)) == []


async def test_ami_set_up_as_shipped_is_all_well(pbx: Asterisk, tmp_path: Path) -> None:
    found = await ami_findings(with_ami(pbx, tmp_path))
    assert [(finding.level, finding.check) for finding in found] == [
        (Level.OK, "AMI"),
        (Level.OK, "AMI rights"),
        (Level.OK, "AMI events"),
    ]
    await pbx.wait_until_idle()


async def test_wrong_ami_password_is_a_warning_with_its_fix(pbx: Asterisk, tmp_path: Path) -> None:
    [found] = await ami_findings(with_ami(pbx, tmp_path, password="not-the-password"))
    assert found.level is Level.WARNING
    assert "[parley] of manager.conf" in found.detail
    assert "not-the-password" not in found.detail + found.fix
    assert "manager reload" in found.fix


async def test_ami_password_that_cannot_be_read_is_a_problem_because_the_node_does_not_start(
    pbx: Asterisk, tmp_path: Path
) -> None:
    settings = with_ami(pbx, tmp_path)
    (tmp_path / "ami.password").unlink()
    [found] = await ami_findings(settings)
    assert found.level is Level.PROBLEM
    assert "asterisk.ami.password_file" in found.detail


async def test_ami_that_is_switched_off_is_told_with_what_to_switch_on(pbx: Asterisk, tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        [found] = await ami_findings(with_ami(pbx, tmp_path, port=reserved.getsockname()[1]))
    assert found.level is Level.WARNING
    assert "enabled = yes" in found.detail


async def test_ami_user_with_needless_rights_and_without_events_is_told_so(tmp_path: Path) -> None:
    additions = {"manager.conf": "[mighty]\nsecret = mighty\nread = system\nwrite = all\n"}
    async with Asterisk(program=require_asterisk(), additions=additions, life_s=60) as pbx:
        _, rights, events = await ami_findings(with_ami(pbx, tmp_path, username="mighty", password="mighty"))
    assert rights.level is Level.WARNING
    assert "Command, Originate" in rights.detail
    assert events.level is Level.WARNING
    assert "eventfilter" in events.fix


async def test_eventfilter_of_before_audiosocket_is_told_where_callers_come_by_it(tmp_path: Path) -> None:
    additions = {
        "manager.conf": "[old]\nsecret = old\nread = call,agent\nwrite = call\neventfilter = ^Event: (Hangup|Queue)\n"
    }
    enabled = "[asterisk.audiosocket_app]\nenabled = true"
    async with Asterisk(program=require_asterisk(), additions=additions, life_s=60) as pbx:
        found = await ami_findings(with_ami(pbx, tmp_path, username="old", password="old", more=enabled))
    assert [(finding.level, finding.check) for finding in found] == [
        (Level.OK, "AMI"),
        (Level.OK, "AMI rights"),
        (Level.PROBLEM, "AMI events"),
    ]
    assert "SoftHangupRequest" in found[-1].detail
    assert "eventfilter" in found[-1].fix


async def test_ami_is_checked_without_the_module_of_another_transport(tmp_path: Path) -> None:
    additions = {"modules.conf": "noload = chan_rtp.so"}
    enabled = "[asterisk.audiosocket_app]\nenabled = true\n[media]\ntransport = 'audiosocket'"
    async with Asterisk(program=require_asterisk(), additions=additions, life_s=60) as pbx:
        found = await ami_findings(with_ami(pbx, tmp_path, more=enabled))
    assert found[-1].check == "AMI events"
    assert found[-1].level is Level.OK


def require_audiosocket() -> None:
    """Skip the calling test where this Asterisk has no AudioSocket()."""
    program = require_asterisk()
    if not (program.modules / "app_audiosocket.so").exists():
        pytest.skip(f"Asterisk {program.version} has no AudioSocket()")


async def test_callers_by_audiosocket_need_modules_rights_and_the_subroutine(tmp_path: Path) -> None:
    require_audiosocket()
    additions = {"modules.conf": "noload = func_curl.so\n"}
    async with Asterisk(program=require_asterisk(), additions=additions, life_s=60) as pbx:
        await pbx.cli("dialplan remove context parley-audiosocket")
        enabled = "[asterisk.audiosocket_app]\nenabled = true"
        found = [finding for finding in await problems(with_ami(pbx, tmp_path, more=enabled))]
    assert [(problem.check, problem.detail.partition(":")[0]) for problem in found] == [
        ("module", "func_curl.so is not running"),
        ("dialplan", "[parley-audiosocket] is not in the dialplan"),
        ("AMI rights", "parley may not do what AudioSocket() needs"),
    ]
    assert "write = call" in found[-1].fix


async def test_callers_by_audiosocket_set_up_as_the_documents_say_is_all_well(tmp_path: Path) -> None:
    require_audiosocket()
    additions = {"manager.conf": "[parley](+)\nwrite = call\n"}
    async with Asterisk(program=require_asterisk(), additions=additions, life_s=60) as pbx:
        found = await findings(with_ami(pbx, tmp_path, more="[asterisk.audiosocket_app]\nenabled = true"))
    assert not [finding for finding in found if finding.level is Level.PROBLEM]
    assert "may command calls" in [finding.detail for finding in found if finding.check == "AMI rights"]
