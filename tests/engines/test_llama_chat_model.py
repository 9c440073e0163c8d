"""What the adapter of llama.cpp says where something is missing; with the library: test_llama_real.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from parley.conversation.errors import EngineMissing
from parley.engines.llama_chat_model import LlamaChatModel


def test_without_the_package_it_is_missing_and_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.gguf").touch()
    monkeypatch.setitem(sys.modules, "parley.engines.llama_context", None)
    with pytest.raises(EngineMissing, match=r"pip install 'parley\[llama\]'"):
        LlamaChatModel(tmp_path / "model.gguf")


def test_without_the_file_it_is_missing_and_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match=r"engines\.llama\.model = .*is not there"):
        LlamaChatModel(tmp_path / "model.gguf")
