"""A private Asterisk for tests and the demo: an installed one of version 18 or later, else Debian's, unpacked.

It is never installed, for installing would start a service.
"""

from __future__ import annotations

import re
import subprocess

from tools.packages import Archive, own_archive, own_loader, unpack_packages
from tools.places import CACHE, Stamp, installed_program, say, system_release

ROOT = CACHE / "asterisk" / "root"
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
    stamp = Stamp("asterisk", {"packages": PACKAGES, "system": system_release().get("PRETTY_NAME", "")})
    if stamp.is_valid and (ROOT / "usr/sbin/asterisk").exists():
        return
    unpack_packages("asterisk", PACKAGES, _archive(), ROOT)
    command = [*own_loader(ROOT), str(ROOT / "usr/sbin/asterisk")]
    say("asterisk", f"unpacked version {_version(command)} in {ROOT.relative_to(CACHE.parent)}; nothing was installed")
    stamp.write()


def _archive() -> Archive:
    """Return where Asterisk comes from: Debian has it in sid only, Ubuntu in `universe` of each release."""
    own = own_archive()
    if own.distribution == "debian":
        return own_archive(suite="sid")
    return own_archive(components="main universe")


def _version(command: list[str]) -> str:
    answer = subprocess.run([*command, "-V"], capture_output=True, text=True, check=True)
    found = re.search(r"\d+(\.\d+)*", answer.stdout)
    return found.group() if found else ""


def _major_version(command: list[str]) -> int:
    return int(_version(command).partition(".")[0] or 0)
