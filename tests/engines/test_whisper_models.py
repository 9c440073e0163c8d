"""Whisper's runtimes where they are not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from parley.conversation.errors import EngineMissing
from parley.engines.faster_whisper_model import FasterWhisper, FasterWhisperOptions
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
    with pytest.raises(EngineMissing, match=f"{package} is not installed: pip install {package}"):
        make(tmp_path)
