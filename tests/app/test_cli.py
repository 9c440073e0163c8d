"""The command line as a user types it, without PBX."""

from pathlib import Path

import pytest

from tests.app.command import Command

FLOW = """
flow: tiny
languages: [en]
start: bye
fallback: support
nodes:
  bye:
    say: {en: Goodbye.}
    end: hangup
"""
REHEARSAL = """
- name: says goodbye
  today: 2026-03-02
  turns:
    - agent: WORDS
      end: hangup
"""


def test_chat_goes_through_a_shipped_flow_with_speech_keys_and_silence(parley: Command, tmp_path: Path) -> None:
    typed = "tuesday\nno, thursday\nyes\n/471108\n\nyes\nspeak to a person\n"
    shown = parley("chat", "appointment", "--variable", "queue=sales", typed=typed)
    assert shown.returncode == 0
    assert "transfer to the queue sales" in shown.stdout
    assert "slot member: 471108" in shown.stdout


def test_flow_may_be_named_by_its_path(parley: Command, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(FLOW, encoding="utf-8")
    assert "Goodbye." in parley("chat", "./tiny.yaml").stdout


@pytest.mark.parametrize(("words", "status", "verdict"), [("Goodbye", 0, "0 failed"), ("Hello", 1, "1 failed")])
def test_flow_command_plays_the_authors_rehearsals(
    parley: Command, tmp_path: Path, words: str, status: int, verdict: str
) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "tests.yaml").write_text(REHEARSAL.replace("WORDS", words), encoding="utf-8")
    shown = parley("flow", str(tmp_path))
    assert shown.returncode == status
    assert verdict in shown.stdout


def test_init_writes_settings_that_the_other_commands_read(parley: Command, tmp_path: Path) -> None:
    assert parley("init", "asterisk", "--ari-url", "http://127.0.0.1:9999/ari").returncode == 0
    assert "bindport = 9999" in (tmp_path / "asterisk-parley" / "STEPS.txt").read_text(encoding="utf-8")
    shown = parley("calls", "list")
    assert shown.returncode == 0
    assert "No calls are recorded yet" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("serve",), "parley init asterisk"),
        (("doctor", "-c", "nowhere.toml"), "nowhere.toml: not found"),
        (("chat", "nosuch"), "no flow of this name"),
        (("init", "asterisk", "--agent", "front desk"), "agent 'front desk'"),
        (("init", "asterisk", "--folder", "/dev/null/x"), "/dev/null"),
    ],
)
def test_what_a_user_gets_wrong_is_said_in_one_message_without_a_traceback(
    parley: Command, arguments: tuple[str, ...], complaint: str
) -> None:
    shown = parley(*arguments)
    assert shown.returncode == 2
    assert complaint in shown.stderr
    assert "Traceback" not in shown.stderr


def test_latency_prints_percentiles_and_refuses_what_is_no_time(parley: Command, tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text('[agents.reception]\nflow = "appointment"\n', encoding="utf-8")
    (tmp_path / "parley-data").mkdir()
    assert "No turns" in parley("latency", "--since", "7d").stdout
    refused = parley("latency", "--since", "soon")
    assert refused.returncode == 2
    assert "'soon' is no time" in refused.stderr
