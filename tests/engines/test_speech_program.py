"""Running a command-line synthesiser: text stays text, processes do not stay."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from parley.conversation.errors import EngineError, EngineMissing, EngineTimeout
from parley.conversation.ports import SpeechRequest
from parley.engines.speech_program import MAX_CHARACTERS, SpeechProgram, clean
from tests.contract.synthesizer_contract import chunks_of


class ToySpeaker(SpeechProgram):
    """A program that the test writes itself; it gets the paths of text and speech."""

    program = "toy-speaker"
    package = "toys"

    def voice(self, language: str, voice: str) -> str:
        """There is one."""
        return "only"

    def arguments(self, voice: str, text: Path, speech: Path) -> Sequence[str]:
        """The two files."""
        return [str(text), str(speech)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def install(folder: Path, script: str) -> None:
    program = folder / "toy-speaker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(stat.S_IRWXU)


def sentence(text: str, rate_hz: int = 8000) -> SpeechRequest:
    return SpeechRequest(text, "en", "", rate_hz)


def test_program_that_is_not_there_is_missing_and_its_package_is_named() -> None:
    with pytest.raises(EngineMissing, match="toy-speaker is not on PATH: apt-get install toys"):
        ToySpeaker()


@pytest.mark.parametrize(
    ("script", "complaint"),
    [("exit 3", "status 3"), ("exit 0", "no WAV file"), ('echo RIFF > "$2"', "no WAV file")],
)
async def test_program_that_fails_is_an_engine_error(folder: Path, script: str, complaint: str) -> None:
    install(folder, script)
    with pytest.raises(EngineError, match=complaint):
        await chunks_of(ToySpeaker(), sentence("hello"))


async def test_program_that_hangs_is_killed_at_its_deadline(folder: Path) -> None:
    install(folder, f"echo $$ > {folder}/pid; exec sleep 30")
    with pytest.raises(EngineTimeout, match="did not end within"):
        await chunks_of(ToySpeaker(deadline_s=0.3), sentence("hello"))
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)


async def test_cancelling_kills_the_program(folder: Path) -> None:
    install(folder, f"echo $$ > {folder}/pid; exec sleep 30")
    pid = folder / "pid"
    async with asyncio.TaskGroup() as group:
        speaking = group.create_task(chunks_of(ToySpeaker(), sentence("hello")))
        async with asyncio.timeout(5):
            while not pid.exists() or not pid.read_text():
                await asyncio.sleep(0.005)
        speaking.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_text_is_given_by_a_file_and_never_by_the_command_line(folder: Path) -> None:
    install(folder, f'cp "$1" {folder}/text; echo "$@" > {folder}/arguments; exit 3')
    with pytest.raises(EngineError):
        await chunks_of(ToySpeaker(), sentence('-o /etc/passwd "; rm -rf $HOME'))
    assert (folder / "text").read_text() == '-o /etc/passwd "; rm -rf $HOME'
    assert "rm" not in (folder / "arguments").read_text()


async def test_private_files_are_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    install(folder, "exit 3")
    with pytest.raises(EngineError):
        await chunks_of(ToySpeaker(), sentence("hello"))
    assert [path.name for path in folder.iterdir()] == ["toy-speaker"]


async def test_nothing_to_say_starts_no_program(folder: Path) -> None:
    install(folder, "exit 3")
    assert await chunks_of(ToySpeaker(), sentence(" \x07\n ")) == []


async def test_rate_that_no_call_has_is_an_engine_error(folder: Path) -> None:
    install(folder, "exit 0")
    with pytest.raises(EngineError, match="8000 or 16000"):
        await chunks_of(ToySpeaker(), sentence("hello", 44100))


def test_control_characters_and_line_breaks_become_spaces() -> None:
    assert clean("one\x00two\r\nthree \u202e four") == "one two three four"


def test_text_without_end_is_refused() -> None:
    assert clean("a" * MAX_CHARACTERS)
    with pytest.raises(EngineError, match="at most 1000 characters"):
        clean("a" * (MAX_CHARACTERS + 1))
