"""A private Asterisk for tests and the demo: an installed one of version 18 or later, else Debian's, unpacked.

Beside it, on request, the oldest one that Parley is tried with. Neither is installed, for installing would start a
service.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tools.packages import Archive, PackagesUnavailable, own_archive, own_loader, unpack_packages
from tools.places import CACHE, Stamp, installed_program, say, system_release

ROOT = CACHE / "asterisk" / "root"
OLD_ROOT = CACHE / "old-asterisk" / "root"
OLD_SUITE = "bullseye"
"""Debian 11 has Asterisk 16.28."""
OLDEST_SUPPORTED = 18
PACKAGES = (
    "asterisk",
    "asterisk-modules",
    "asterisk-core-sounds-en-gsm",
    "asterisk-core-sounds-en-wav",
    "asterisk-moh-opsound-wav",
)


def prepare() -> None:
    """See to it that an Asterisk can be run. Raises PackagesUnavailable."""
    installed = installed_program("asterisk")
    if installed is not None and _major_version([installed]) >= OLDEST_SUPPORTED:
        return
    _unpack("asterisk", ROOT, _archive)


def prepare_old() -> None:
    """See to it that the oldest Asterisk can be run. Raises PackagesUnavailable, on all systems but Debian too."""
    _unpack("old-asterisk", OLD_ROOT, _old_archive)


def _unpack(step: str, root: Path, archive: Callable[[], Archive]) -> None:
    """Unpack an Asterisk below `root`, unless that was done before."""
    stamp = Stamp(step, {"packages": PACKAGES, "system": system_release().get("PRETTY_NAME", "")})
    if stamp.is_valid and (root / "usr/sbin/asterisk").exists():
        return
    unpack_packages(step, PACKAGES, archive(), root)
    command = [*own_loader(root), str(root / "usr/sbin/asterisk")]
    say(step, f"unpacked version {_version(command)} in {root.relative_to(CACHE.parent)}; nothing was installed")
    stamp.write()


def _archive() -> Archive:
    """Return where Asterisk comes from: Debian has it in sid only, Ubuntu in `universe` of each release."""
    own = own_archive()
    if own.distribution == "debian":
        return own_archive(suite="sid")
    return own_archive(components="main universe")


def _old_archive() -> Archive:
    own = own_archive(suite=OLD_SUITE)
    if own.distribution != "debian":
        raise PackagesUnavailable(f"the archive of {own.distribution} has no Debian {OLD_SUITE} with Asterisk 16")
    return own


def _version(command: list[str]) -> str:
    answer = subprocess.run([*command, "-V"], capture_output=True, text=True, check=True)
    found = re.search(r"\d+(\.\d+)*", answer.stdout)
    return found.group() if found else ""


def _major_version(command: list[str]) -> int:
    return int(_version(command).partition(".")[0] or 0)
