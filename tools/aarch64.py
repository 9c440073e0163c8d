"""A C compiler for aarch64 and qemu, for `make test-aarch64`: the distribution's packages, unpacked."""

from __future__ import annotations

import platform
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.packages import PackagesUnavailable, own_archive, own_libraries, unpack_packages
from tools.places import (
    CACHE,
    PROGRAMS,
    PreparationFailed,
    Stamp,
    installed_program,
    say,
    system_release,
    write_starter,
)

ROOT = CACHE / "aarch64"
_PACKAGES = ("gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "qemu-user-static")
_COMPILERS = ("aarch64-linux-gnu-gcc", "parley-aarch64-cc")
"""The system's own, and the starter of the one that was unpacked."""
_EMULATORS = ("qemu-aarch64-static", "qemu-aarch64", "parley-qemu-aarch64")
_PROBE = "#include <math.h>\nint main(int count, char **words) { return words[0] == 0 || cos(count) > 1; }\n"


def prepare() -> None:
    """See to it that C can be compiled and run for aarch64. Raises PreparationFailed or PackagesUnavailable."""
    stamp = Stamp("aarch64", {"packages": _PACKAGES, "system": system_release().get("PRETTY_NAME", "")})
    if (stamp.is_valid and _find(_COMPILERS) and _find(_EMULATORS)) or commands() is not None:
        return
    if platform.machine() != "x86_64":
        raise PackagesUnavailable(f"the packages to unpack are for x86_64, and this is {platform.machine()}")
    _unpack()
    if commands() is None:
        raise PreparationFailed(f"what was unpacked makes no program that runs; install {', '.join(_PACKAGES)}")
    stamp.write()


@dataclass(frozen=True, slots=True)
class Commands:
    """How C is compiled for aarch64, and what runs the programs here."""

    compiler: tuple[str, ...]
    runner: tuple[str, ...]


def commands() -> Commands | None:
    """Return the commands; None where one of them is missing."""
    compiler, emulator = _find(_COMPILERS), _find(_EMULATORS)
    if not compiler or not emulator:
        return None
    asked = subprocess.run([compiler, "-print-file-name=libc.so.6"], capture_output=True, text=True, check=False)
    # The emulator looks for aarch64's loader and libraries below this folder.
    libraries = Path(asked.stdout.strip()).resolve().parent.parent
    found = Commands((compiler,), (emulator, "-L", str(libraries)))
    return found if _run(found) else None


def _find(names: tuple[str, ...]) -> str | None:
    starters = (str(PROGRAMS / name) for name in names if (PROGRAMS / name).exists())
    return next((path for name in names if (path := installed_program(name))), None) or next(starters, None)


def _run(found: Commands) -> bool:
    """Tell whether a program can be made and run."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text(_PROBE, encoding="utf-8")
        program = str(source.with_suffix(""))
        steps = ([*found.compiler, str(source), "-o", program, "-lm", "-pthread"], [*found.runner, program])
        return all(subprocess.run(step, capture_output=True, check=False).returncode == 0 for step in steps)


def _unpack() -> None:
    own = own_archive()
    components = "main universe" if own.distribution == "ubuntu" else "main"
    unpack_packages("aarch64", _PACKAGES, own_archive(components=components), ROOT)
    gcc = next(iter(sorted(ROOT.glob("usr/bin/aarch64-linux-gnu-gcc-[0-9]*"))), None)
    emulator = ROOT / "usr/bin/qemu-aarch64-static"
    if gcc is None or not emulator.exists():
        raise PackagesUnavailable(f"{', '.join(_PACKAGES)} hold no compiler or no qemu-aarch64-static")
    command = [str(gcc), f"--sysroot={ROOT}", f"-B{ROOT / 'usr/aarch64-linux-gnu/bin'}"]
    write_starter(_COMPILERS[-1], command, {"LD_LIBRARY_PATH": str(own_libraries(ROOT))})
    write_starter(_EMULATORS[-1], [str(emulator)], {})
    say("aarch64", f"unpacked {gcc.name} and qemu; they are started from {PROGRAMS.relative_to(CACHE.parent)}")
