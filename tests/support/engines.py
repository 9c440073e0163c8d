"""Real engines in tests: whether their packages are here, and the small models that are made for them."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import pytest

from tests.support.asterisk_program import REPOSITORY
from tests.support.canned_whisper import Canned, make_canned_whisper

CACHE = REPOSITORY / ".cache" / "canned"


def require_engine(module: str, engine: str) -> None:
    """Skip the calling test, or module, when the package is missing."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{engine} is not installed; run: make test-models ENGINE={engine}", allow_module_level=True)


def canned_whisper(name: str, canned: Canned) -> Path:
    """Return the folder of a canned Whisper, made once for all tests."""
    folder = CACHE / f"whisper-{name}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        made = make_canned_whisper(Path(tempfile.mkdtemp(dir=CACHE)), canned)
        os.rename(made, folder)
    return folder
