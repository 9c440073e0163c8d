"""What spoken prompts on disk depend on besides the request."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parley.app.engine_settings import EngineSettings, PiperSettings
from parley.app.voices import engine_versions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one voice."""
    (tmp_path / "en_US-b-medium.onnx").write_bytes(b"network")
    (tmp_path / "en_US-b-medium.onnx.json").write_text("{}")
    return tmp_path


def version(folder: Path) -> str:
    """Return piper's."""
    return engine_versions(EngineSettings(piper=PiperSettings(folder=folder)))["piper"]


def test_piper_with_the_same_voices_has_the_same_version(folder: Path) -> None:
    (folder / "notes.txt").touch()
    before = version(folder)
    (folder / "notes.txt").write_text("of no interest")
    assert version(folder) == before


def test_another_first_voice_another_file_or_a_newer_one_is_another_version(folder: Path) -> None:
    versions = [version(folder)]
    (folder / "en_US-a-medium.onnx").write_bytes(b"network")
    versions.append(version(folder))
    (folder / "en_US-b-medium.onnx").write_bytes(b"another network")
    versions.append(version(folder))
    os.utime(folder / "en_US-b-medium.onnx.json", ns=(1, 1))
    versions.append(version(folder))
    assert len(set(versions)) == 4


def test_without_voices_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert engine_versions(EngineSettings()) == {}
    assert version(tmp_path / "absent") == "[]"
