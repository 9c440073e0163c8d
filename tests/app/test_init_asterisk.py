import re
import stat
from pathlib import Path

import pytest

from ari_app.audiosocket_calls import EVENTS
from parley.app.init_asterisk import Choices, InitError, init_asterisk
from parley.app.settings import load_settings


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_written_settings_load_and_match_the_written_ari_user(tmp_path: Path) -> None:
    done = init_asterisk(tmp_path, Choices(agent="front_desk", queue="sales"))
    settings = load_settings(done.settings_file)
    password = settings.asterisk.read_password()
    assert settings.agents["front_desk"].fallback_queue == "sales"
    assert f"password = {password}\n" in (done.snippet_folder / "ari_parley.conf").read_text(encoding="utf-8")
    assert len(password) >= 24


def test_written_ami_user_matches_its_password_and_comes_into_use_as_the_steps_say(tmp_path: Path) -> None:
    done = init_asterisk(tmp_path, Choices())
    user = (done.snippet_folder / "manager_parley.conf").read_text(encoding="utf-8")
    assert not load_settings(done.settings_file).asterisk.ami.enabled
    [step] = [step for step in done.steps if step.where == "parley.toml"]
    text = done.settings_file.read_text(encoding="utf-8")
    for line in step.lines.splitlines():
        assert f"\n# {line}\n" in text
        text = text.replace(f"# {line}\n", f"{line}\n")
    done.settings_file.write_text(text, encoding="utf-8")
    ami = load_settings(done.settings_file).asterisk.ami
    assert ami.enabled
    assert f"[{ami.username}]\nsecret = {ami.read_password()}\n" in user


def test_ami_user_sees_what_parley_reads_and_no_more_and_may_command_nothing(tmp_path: Path) -> None:
    done = init_asterisk(tmp_path, Choices())
    lines = (done.snippet_folder / "manager_parley.conf").read_text(encoding="utf-8").splitlines()
    user = dict(line.split(" = ", 1) for line in lines if " = " in line)
    assert user["read"] == "agent,call"
    assert "write =" in lines
    for event in EVENTS:
        assert re.match(user["eventfilter"], f"Event: {event}\r\n"), event
    for event in ("Newchannel", "AgentLogin", "VarSet", "Cdr", "DTMFEnd", "QueueMemberStatus"):
        assert not re.match(user["eventfilter"], f"Event: {event}\r\n"), event


def test_secrets_are_not_readable_by_everybody_and_not_in_the_settings(tmp_path: Path) -> None:
    done = init_asterisk(tmp_path, Choices())
    password = done.password_file.read_text(encoding="utf-8").strip()
    assert mode_of(done.password_file) == 0o600
    assert mode_of(done.snippet_folder / "ari_parley.conf") & 0o007 == 0
    ami_password = (tmp_path / "ami.password").read_text(encoding="utf-8").strip()
    assert mode_of(tmp_path / "ami.password") == 0o600
    assert mode_of(done.snippet_folder / "manager_parley.conf") & 0o007 == 0
    assert ami_password != password
    assert ami_password not in (done.snippet_folder / "STEPS.txt").read_text(encoding="utf-8")
    assert password not in done.settings_file.read_text(encoding="utf-8")
    assert password not in (done.snippet_folder / "STEPS.txt").read_text(encoding="utf-8")


def test_existing_settings_are_never_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(InitError, match="--force"):
        init_asterisk(tmp_path, Choices())
    assert (tmp_path / "parley.toml").read_text(encoding="utf-8") == "mine"


def test_second_run_keeps_the_password_that_the_pbx_already_has(tmp_path: Path) -> None:
    first = init_asterisk(tmp_path, Choices()).password_file.read_text(encoding="utf-8")
    again = init_asterisk(tmp_path, Choices(), force=True).password_file.read_text(encoding="utf-8")
    assert first == again


def test_every_file_that_the_steps_name_is_written(tmp_path: Path) -> None:
    done = init_asterisk(tmp_path, Choices())
    steps = (done.snippet_folder / "STEPS.txt").read_text(encoding="utf-8")
    for name in ("ari_parley.conf", "extensions_parley.conf", "manager_parley.conf"):
        assert str(done.snippet_folder / name) in steps
        assert (done.snippet_folder / name).stat().st_size > 0
