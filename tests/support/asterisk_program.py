"""Find the Asterisk that tests and the demo run, and say how it is started.

Three places, in this order: the tree that PARLEY_ASTERISK_ROOT names, an installed Asterisk of version 18 or
later, the tree that `tools/prepare.py --with asterisk` unpacked.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.packages import PackagesUnavailable, own_loader

REPOSITORY = Path(__file__).resolve().parents[2]
UNPACKED_ROOT = REPOSITORY / ".cache" / "asterisk" / "root"
OLDEST_SUPPORTED = 18


@dataclass(frozen=True, slots=True)
class AsteriskProgram:
    """An Asterisk on this machine: how to start it, and where its parts lie."""

    command: tuple[str, ...]
    """The program, behind its own loader when it comes from an unpacked tree of another release."""
    modules: Path
    shared_data: Path
    """Asterisk's `astdatadir`: documentation, sounds, music."""
    version: str

    @property
    def major(self) -> int:
        """Return the first number of the version, 0 when it is unknown."""
        found = re.match(r"\d+", self.version)
        return int(found.group()) if found else 0


class AsteriskNotFound(RuntimeError):
    """There is no Asterisk that could be run; the message says where was looked."""


@functools.cache
def find_asterisk() -> AsteriskProgram:
    """Return the Asterisk to run. Raises AsteriskNotFound."""
    named = os.environ.get("PARLEY_ASTERISK_ROOT")
    if named:
        return _from_root(Path(named).resolve())
    installed = _installed()
    if installed is not None:
        return installed
    if UNPACKED_ROOT.is_dir():
        return _from_root(UNPACKED_ROOT.resolve())
    raise AsteriskNotFound(
        f"no Asterisk {OLDEST_SUPPORTED} or later is installed and {UNPACKED_ROOT} does not exist; "
        "run: python3 tools/prepare.py --with asterisk"
    )


def require_asterisk() -> AsteriskProgram:
    """Return the Asterisk to run, or skip the calling test saying why there is none."""
    try:
        return find_asterisk()
    except AsteriskNotFound as error:
        pytest.skip(str(error))


def _installed() -> AsteriskProgram | None:
    path = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        return None
    version = _version_of((path,))
    modules = [Path("/usr/lib/asterisk/modules"), *Path("/usr/lib").glob("*/asterisk/modules")]
    program = AsteriskProgram(
        command=(path,),
        modules=next((folder for folder in reversed(modules) if folder.is_dir()), modules[0]),
        shared_data=next(
            (
                folder
                for folder in map(Path, ("/usr/share/asterisk", "/var/lib/asterisk"))
                if _has_documentation(folder)
            ),
            Path("/usr/share/asterisk"),
        ),
        version=version,
    )
    return program if program.major >= OLDEST_SUPPORTED else None


def _from_root(root: Path) -> AsteriskProgram:
    binary = root / "usr/sbin/asterisk"
    modules = [*root.glob("usr/lib/*/asterisk/modules"), *root.glob("usr/lib/asterisk/modules")]
    if not binary.exists() or not modules:
        raise AsteriskNotFound(f"{root} is no unpacked Asterisk: it lacks the program or its modules")
    try:
        command = (*own_loader(root), str(binary))
    except PackagesUnavailable as error:
        raise AsteriskNotFound(str(error)) from error
    return AsteriskProgram(command, modules[0], root / "usr/share/asterisk", _version_of(command))


def _has_documentation(folder: Path) -> bool:
    return (folder / "documentation").is_dir()


def _version_of(command: tuple[str, ...]) -> str:
    answer = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=20, check=False)
    found = re.search(r"Asterisk\s+(?:certified/)?(\d+[\w.~-]*)", answer.stdout)
    return found.group(1) if found else ""
