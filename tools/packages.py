"""Fetch Debian and Ubuntu packages without installing them: private apt folders, then `dpkg-deb -x`.

Needs no root. The archive's address and its keys are those of the machine's own apt configuration; signatures
are always checked. A download that was cut off goes on where it stopped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.places import CACHE, administrator_prefix, say, system_release

_KEYRINGS = {
    "debian": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    "ubuntu": Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
}
_C_LIBRARY = (
    *("ld-linux", "libc.so", "libm.so", "libmvec.", "libpthread.", "libdl.", "librt.", "libresolv.", "libutil."),
    *("libnss_", "libnsl.", "libanl.", "libBrokenLocale.", "libthread_db.", "libc_malloc_debug.", "libmemusage."),
)
_UNWANTED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")


class PackagesUnavailable(Exception):
    """This machine's package archive cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A release in the distribution's main archive, as apt writes a source."""

    distribution: str
    """`debian` or `ubuntu`."""
    site: str
    suite: str
    components: str

    @property
    def source_line(self) -> str:
        """The line for sources.list; without a keyring of its own apt's trusted keys count."""
        keyring = _KEYRINGS[self.distribution]
        option = f"[signed-by={keyring}] " if keyring.exists() else ""
        return f"deb {option}{self.site} {self.suite} {self.components}\n"


def own_archive(suite: str = "", components: str = "main") -> Archive:
    """Return the archive that this machine installs from, at its own release or another suite.

    Raises PackagesUnavailable on systems without apt, and where apt knows no main archive.
    """
    release = system_release()
    distribution = next(
        (name for name in (release.get("ID", ""), *release.get("ID_LIKE", "").split()) if name in _KEYRINGS), ""
    )
    if not distribution or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise PackagesUnavailable("this system has no apt; it works on Debian and Ubuntu")
    codename = release.get("UBUNTU_CODENAME") or release.get("VERSION_CODENAME", "")
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)|$(RELEASE)|$(COMPONENT)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    site = choose_site(listed.stdout, codename)
    return Archive(distribution, site, suite or codename, components)


def choose_site(targets: str, codename: str) -> str:
    """Return the main archive's address from lines of `site|release|component`.

    The release itself counts, not its security, updates or backports companions, which may lie elsewhere; a
    machine that follows a rolling suite has no codename in the list, then the first plain one counts.
    """
    lines = [line.split("|") for line in targets.splitlines() if line.count("|") == 2]
    main = [(site, release) for site, release, component in lines if component == "main"]
    exact = [site for site, release in main if release == codename]
    plain = [site for site, release in main if "-" not in release and "/" not in release]
    if not exact and not plain:
        raise PackagesUnavailable("apt has no main archive configured: see /etc/apt/sources.list")
    return (exact or plain)[0]


def unpack_packages(step: str, names: Sequence[str], archive: Archive, into: Path) -> None:
    """Download packages with everything they depend on, and unpack them below `into`, replacing what is there.

    Raises PackagesUnavailable when the archive cannot be reached or lacks a package.
    """
    work = CACHE / "packages" / step
    partial = into.with_name(f"{into.name}.partial")
    downloaded = _download(step, names, archive, work)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    say(step, f"unpacking {len(downloaded)} packages")
    for package in downloaded:
        subprocess.run(["dpkg-deb", "-x", str(package), str(partial)], check=True)
    for folder in _UNWANTED:
        shutil.rmtree(partial / folder, ignore_errors=True)
    shutil.rmtree(into, ignore_errors=True)
    if into.is_symlink():
        into.unlink()
    partial.rename(into)
    shutil.rmtree(work, ignore_errors=True)


def install_packages(step: str, names: Sequence[str]) -> bool:
    """Install packages as root or by passwordless sudo; False where neither is possible."""
    prefix = administrator_prefix()
    if prefix is None or not shutil.which("apt-get"):
        return False
    say(step, f"installing {', '.join(names)}")
    # `env` carries the variable through sudo, which clears its caller's environment.
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends"]
    first = subprocess.run([*command, *names], capture_output=True, check=False)
    if first.returncode == 0:
        return True
    # The machine's package lists may be missing or older than the archive.
    subprocess.run([*prefix, "apt-get", "update", "-qq"], check=False)
    again = subprocess.run([*command, *names], capture_output=True, text=True, check=False)
    if again.returncode != 0:
        say(step, f"apt-get could not install them: {_last_line(again.stderr)}")
    return again.returncode == 0


def _download(step: str, names: Sequence[str], archive: Archive, work: Path) -> list[Path]:
    """Fetch the packages and what they depend on, nothing counting as installed; return the files."""
    for folder in ("etc", "state", "lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "etc" / "sources.list").write_text(archive.source_line, encoding="utf-8")
    (work / "state" / "status").touch()
    say(step, f"fetching {', '.join(names)} for {archive.distribution} {archive.suite}")
    _apt(work, "update")
    # Files of an earlier attempt that the archive has replaced since.
    _apt(work, "autoclean")
    _apt(work, "install", "-y", "--download-only", *names)
    return sorted((work / "cache" / "archives").glob("*.deb"))


def _apt(work: Path, *arguments: str) -> str:
    options = {
        "Dir::Etc::sourcelist": work / "etc" / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State": work / "state",
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "state" / "status",
        "Dir::Cache": work / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": 3,
        # A mirror that is rarely refreshed has release files past their date; their signatures still count.
        "Acquire::Check-Valid-Until": "false",
        "APT::Install-Recommends": "false",
        "Debug::NoLocking": "true",
    }
    command = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PackagesUnavailable(f"apt-get {arguments[0]} failed: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("E:")] or text.splitlines()
    return lines[-1] if lines else "no message"


def own_libraries(root: Path) -> Path:
    """Gather the libraries of an unpacked tree in one folder, the C library's left out, and return it.

    For programs of the machine's own release: they run with its C library.
    """
    gathered = root / "own-libraries"
    gathered.mkdir()
    for folder in (*root.glob("usr/lib/*-linux-gnu*"), *root.glob("lib/*-linux-gnu*")):
        for library in folder.glob("*.so*"):
            if not library.name.startswith(_C_LIBRARY):
                (gathered / library.name).symlink_to(os.path.relpath(library, gathered))
    return gathered


def own_loader(root: Path) -> list[str]:
    """Return the command that runs a program of an unpacked tree with the tree's own libraries.

    Raises PackagesUnavailable when the tree has no loader.
    """
    folders = [root / "usr/lib", *root.glob("usr/lib/*-linux-gnu*"), root / "lib", *root.glob("lib/*-linux-gnu*")]
    names = (
        "usr/lib64/ld-linux-*.so.*",
        "usr/lib/*/ld-linux-*.so.*",
        "lib/*/ld-linux-*.so.*",
        "usr/lib/ld-linux-*.so.*",
    )
    for pattern in names:
        for loader in sorted(root.glob(pattern)):
            # Links with absolute targets lead out of the tree, to the machine's own loader.
            if loader.resolve().is_relative_to(root.resolve()):
                libraries = ":".join(str(folder) for folder in folders if folder.is_dir())
                return [str(loader), "--library-path", libraries]
    raise PackagesUnavailable(f"{root} has no loader: the download was incomplete")
