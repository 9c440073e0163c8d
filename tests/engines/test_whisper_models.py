"""Whisper's runtimes where they are not installed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from parley.conversation.errors import EngineMissing
from parley.engines.faster_whisper_model import FILES, FasterWhisper, FasterWhisperOptions
from parley.engines.openai_whisper_model import OpenaiWhisper, OpenaiWhisperOptions


@pytest.mark.parametrize(
    ("make", "package"),
    [
        (lambda folder: FasterWhisper(FasterWhisperOptions(folder)), "faster-whisper"),
        (lambda folder: OpenaiWhisper(OpenaiWhisperOptions(folder)), "openai-whisper"),
    ],
)
def test_package_that_is_not_installed_is_named_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object], package: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        EngineMissing, match=rf"{package} is not installed: .*python.* -m pip install 'parley\[{package}\]'"
    ):
        make(tmp_path)


@pytest.mark.parametrize(
    ("make", "files", "module"),
    [
        (lambda folder: FasterWhisper(FasterWhisperOptions(folder)), FILES, "faster_whisper"),
        (lambda folder: OpenaiWhisper(OpenaiWhisperOptions(folder)), ["base.pt"], "torch"),
    ],
)
def test_package_whose_library_does_not_load_is_missing_and_nothing_else_is_raised(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], FasterWhisper | OpenaiWhisper],
    files: Sequence[str],
    module: str,
) -> None:
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EngineMissing, match="is installed and does not load here"):
        make(tmp_path).load()
