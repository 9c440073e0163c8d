"""Fixtures of these tests."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from parley.app.cli import main
from tests.app.command import Command, Shown


@pytest.fixture
def parley(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs the command in `tmp_path`."""

    def run(*arguments: str, typed: str = "") -> Shown:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["parley", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return Shown(ended.value.code or 0, written.out, written.err)

    return run
