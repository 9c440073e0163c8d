"""flite and espeak-ng: the voices that work offline out of the box."""

from __future__ import annotations

from tools.packages import install_packages, own_archive, own_loader, unpack_packages
from tools.places import CACHE, PROGRAMS, Stamp, installed_program, say, system_release, write_starter

ROOT = CACHE / "speech-programs"
NAMES = ("flite", "espeak-ng")


def prepare() -> None:
    """See to it that both programs can be run. Raises PackagesUnavailable."""
    missing = [name for name in NAMES if installed_program(name) is None]
    if not missing:
        return
    stamp = Stamp("speech", {"programs": missing, "system": system_release().get("PRETTY_NAME", "")})
    if stamp.is_valid and all((PROGRAMS / name).exists() for name in missing):
        return
    if install_packages("speech", missing):
        return
    components = "main universe" if own_archive().distribution == "ubuntu" else "main"
    unpack_packages("speech", missing, own_archive(components=components), ROOT)
    loader = own_loader(ROOT)
    data = next(iter(ROOT.glob("usr/lib/*/espeak-ng-data")), None)
    for name in missing:
        variables = {"ESPEAK_DATA_PATH": str(data.parent)} if data is not None and name == "espeak-ng" else {}
        write_starter(name, [*loader, str(ROOT / "usr/bin" / name)], variables)
    say("speech", f"unpacked {' and '.join(missing)}; they are started from {PROGRAMS.relative_to(CACHE.parent)}")
    stamp.write()
