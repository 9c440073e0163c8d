"""`parley models` as a user types it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from parley.app import models_cli
from parley.app.model_catalogue import MODELS, FolderModel, ModelFile, WheelModel
from parley.app.model_files import is_plain
from tests.app.command import Command

FILES = {"config.json": b"{}", "model.bin": b"weights", "tokenizer.json": b"{}"}


@pytest.fixture
def carried(tmp_path: Path) -> Path:
    """A folder with a model's files and their manifest."""
    folder = tmp_path / "carried"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in FILES.items())
    (folder / "SHA256SUMS").write_text(sums)
    return folder


def test_model_of_an_offline_site_is_pulled_listed_and_checked(parley: Command, carried: Path, tmp_path: Path) -> None:
    shown = parley("models", "pull", "faster-whisper-base", "--from", str(carried))
    assert shown.returncode == 0
    assert "faster-whisper-base is ready in parley-data/models/faster-whisper-base" in shown.stdout
    assert "faster-whisper-base     faster-whisper  here" in parley("models", "list").stdout
    checked = parley("models", "check")
    assert (checked.returncode, checked.stdout.split()) == (0, ["faster-whisper-base", "ready"])


def test_check_of_a_damaged_model_ends_with_status_1_and_says_how_to_replace_it(
    parley: Command, carried: Path, tmp_path: Path
) -> None:
    parley("models", "pull", "faster-whisper-base", "--from", str(carried), "--folder", str(tmp_path / "models"))
    (tmp_path / "models" / "faster-whisper-base" / "model.bin").write_bytes(b"WEIGHTS")
    checked = parley("models", "check", "--folder", str(tmp_path / "models"))
    assert checked.returncode == 1
    assert "different: model.bin is not what it was" in checked.stdout
    assert "`parley models pull faster-whisper-base` replaces it" in checked.stdout


def test_models_lie_where_parley_toml_says(parley: Command, carried: Path, tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text('data_dir = "elsewhere"\n[agents.a]\nflow = "appointment"\n')
    parley("models", "pull", "faster-whisper-tiny", "--from", str(carried))
    assert (tmp_path / "elsewhere" / "models" / "faster-whisper-tiny" / "model.bin").read_bytes() == b"weights"


def test_model_whose_sums_nobody_states_asks_for_a_source(parley: Command) -> None:
    shown = parley("models", "pull", "faster-whisper-base")
    assert shown.returncode == 2
    assert "Systran/faster-whisper-base" in shown.stderr
    assert "parley models pull faster-whisper-base --from FOLDER" in shown.stderr


def test_unknown_name_and_malformed_sum_are_told(parley: Command, carried: Path) -> None:
    assert "no model named 'tiny'; known: silero, faster-whisper-" in parley("models", "pull", "tiny").stderr
    shown = parley("models", "pull", "faster-whisper-tiny", "--from", str(carried), "--sha256", "model.bin=12")
    assert "--sha256 model.bin=12: write FILE=SUM" in shown.stderr


def test_no_network_is_worth_another_try(parley: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ModelFile("a.pt", "0" * 64, "http://127.0.0.1:9/a.pt")
    lost = FolderModel("lost", "an-engine", "tests", "MIT", (file,), "nobody")
    monkeypatch.setattr(models_cli, "MODELS", {"lost": lost})
    shown = parley("models", "pull", "lost")
    assert shown.returncode == 75
    assert "127.0.0.1 cannot be reached" in shown.stderr


def test_catalogue_states_whole_sums_and_addresses_that_fit_its_files() -> None:
    for name, model in MODELS.items():
        assert name == model.name
        assert is_plain(name)
        if isinstance(model, WheelModel):
            continue
        for file in model.files:
            assert is_plain(file.name)
            assert file.sha256 == "" or (len(file.sha256) == 64 and int(file.sha256, 16) > 0)
            assert not file.url or (file.url.startswith("https://") and file.url.endswith(f"/{file.name}"))
            assert not file.url or file.sha256
