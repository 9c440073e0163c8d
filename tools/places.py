"""Where the tools put things, the notes by which they know what is done, and how they speak."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CACHE = REPOSITORY / ".cache"
PROGRAMS = CACHE / "bin"
"""Starters of unpacked programs; the Makefile puts this folder first on the PATH."""
ENVIRONMENT = REPOSITORY / ".venv"


class PreparationFailed(Exception):
    """A step cannot be done on this machine; the message says what to do about it."""


def say(step: str, text: str) -> None:
    """Tell the person who waits what happens now."""
    print(f"prepare: {step}: {text}", flush=True)


class Stamp:
    """A note that a step was done with these inputs; other inputs make it void."""

    def __init__(self, name: str, inputs: Mapping[str, object]) -> None:
        self._path = CACHE / "stamps" / f"{name}.json"
        self._text = json.dumps(inputs, sort_keys=True, indent=1)

    @property
    def is_valid(self) -> bool:
        """Tell whether the step was done with the same inputs."""
        try:
            return self._path.read_text(encoding="utf-8") == self._text
        except OSError:
            return False

    def write(self) -> None:
        """Note that the step is done."""
        write_whole(self._path, self._text)


def digest(paths: Iterable[Path]) -> str:
    """Return one hash over the files' names and contents."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(f"{path.relative_to(REPOSITORY)}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def write_whole(path: Path, text: str, *, executable: bool = False) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as out:
        out.write(text)
    os.chmod(out.name, 0o755 if executable else 0o644)
    os.replace(out.name, path)


def write_starter(name: str, command: Sequence[str], variables: Mapping[str, str]) -> None:
    """Write a shell script below PROGRAMS that sets variables and runs a command with its own arguments."""
    settings = "".join(f"export {key}={_quoted(value)}\n" for key, value in variables.items())
    line = " ".join(_quoted(part) for part in command)
    write_whole(PROGRAMS / name, f'#!/bin/sh\n{settings}exec {line} "$@"\n', executable=True)


def _quoted(text: str) -> str:
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"


def installed_program(name: str) -> str | None:
    """Return the path of a program of the system's own, ignoring our starters."""
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder) != PROGRAMS]
    return shutil.which(name, path=os.pathsep.join([*folders, "/usr/sbin", "/usr/local/sbin"]))


def system_release() -> dict[str, str]:
    """Return os-release's fields: ID, VERSION_ID, VERSION_CODENAME, ..."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def administrator_prefix() -> list[str] | None:
    """Return what must precede a command to run it as root: nothing for root, sudo, or None for neither."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    asked = subprocess.run([sudo, "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return [sudo, "-n"] if asked.returncode == 0 else None
