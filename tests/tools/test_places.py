import subprocess
from pathlib import Path

import pytest

from tools import places
from tools.places import Stamp, write_starter


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(places, "PROGRAMS", tmp_path / "cache" / "bin")


def test_step_is_done_only_with_the_same_inputs() -> None:
    Stamp("step", {"files": "a"}).write()
    assert Stamp("step", {"files": "a"}).is_valid
    assert not Stamp("step", {"files": "b"}).is_valid
    assert not Stamp("other", {"files": "a"}).is_valid


def test_starter_passes_arguments_and_variables_unchanged(tmp_path: Path) -> None:
    write_starter("show", ["/bin/sh", "-c", 'printf "%s|" "$VALUE" "$@"', "show"], {"VALUE": "it's $HOME"})
    shown = subprocess.run(
        [str(tmp_path / "cache/bin/show"), "a b", "$(date)", "'"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "it's $HOME|a b|$(date)|'|"
