"""What piper's adapter says where something is missing; with the library: test_piper_real.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from parley.conversation.errors import EngineMissing
from parley.engines.piper_synthesizer import PiperSynthesizer


def test_without_the_package_it_is_missing_and_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "voice.onnx").touch()
    monkeypatch.setitem(sys.modules, "parley.engines.piper_voice", None)
    with pytest.raises(EngineMissing, match=r"pip install 'parley\[piper\]'"):
        PiperSynthesizer(tmp_path)


@pytest.mark.parametrize("folder", ["", "absent"])
def test_folder_without_a_voice_is_missing_and_told_what_belongs_there(tmp_path: Path, folder: str) -> None:
    with pytest.raises(EngineMissing, match=r"has no voice: put NAME\.onnx and NAME\.onnx\.json there"):
        PiperSynthesizer(tmp_path / folder)
