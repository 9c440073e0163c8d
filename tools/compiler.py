"""A C compiler and Python's headers, for the media core."""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path

from tools.packages import install_packages, own_archive, own_libraries, unpack_packages
from tools.places import CACHE, PROGRAMS, PreparationFailed, Stamp, installed_program, say, write_starter

ROOT = CACHE / "toolchain"
_PROBE = "#include <Python.h>\n#include <math.h>\n"


def prepare() -> None:
    """See to it that an extension module can be compiled. Raises PreparationFailed or PackagesUnavailable."""
    stamp = Stamp("compiler", {"python": _include_folder(), "path": os.environ.get("PATH", ""), "cc": _named()})
    if stamp.is_valid and (installed_program("cc") or (PROGRAMS / "cc").exists()):
        return
    command = _working_compiler()
    if command is None and install_packages("compiler", _packages()):
        command = _working_compiler()
    if command is None:
        _unpack()
        command = _working_compiler()
    if command is None:
        raise PreparationFailed(
            f"there is no C compiler that finds Python.h; install {', '.join(_packages())}, or set CC and CFLAGS"
        )
    stamp.write()


def _named() -> str:
    return os.environ.get("CC", "")


def _include_folder() -> str:
    return sysconfig.get_path("include")


def _packages() -> list[str]:
    """Return what the distribution calls a compiler, the C library's headers and this Python's headers."""
    names = ["gcc", "libc6-dev"]
    if not (Path(_include_folder()) / "Python.h").exists():
        names.append(f"libpython{sysconfig.get_python_version()}-dev")
    return names


def _working_compiler() -> list[str] | None:
    """Return the first compiler command that compiles and links an extension module."""
    for candidate in (_named(), installed_program("cc"), installed_program("gcc"), str(PROGRAMS / "cc")):
        if candidate and _compiles(shlex.split(candidate)):
            return shlex.split(candidate)
    return None


def _compiles(command: list[str]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text(_PROBE, encoding="utf-8")
        flags = ["-shared", "-fPIC", f"-I{_include_folder()}", *shlex.split(os.environ.get("CFLAGS", ""))]
        try:
            tried = subprocess.run(
                [*command, *flags, str(source), "-o", str(source.with_suffix(".so")), "-lm"],
                capture_output=True,
                check=False,
            )
        except OSError:
            return False
        return tried.returncode == 0


def _unpack() -> None:
    unpack_packages("compiler", _packages(), own_archive(), ROOT)
    libraries = own_libraries(ROOT)
    compiler = next(iter(sorted(ROOT.glob("usr/bin/*-linux-gnu*-gcc-[0-9]*"))), ROOT / "usr/bin/gcc")
    version = sysconfig.get_python_version()
    command = [
        str(compiler),
        f"--sysroot={ROOT}",
        f"-B{ROOT / 'usr/bin'}",
        f"-isystem{ROOT / 'usr/include' / f'python{version}'}",
    ]
    target = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    for name in ("cc", "gcc", f"{target}-gcc"):
        write_starter(name, command, {"LD_LIBRARY_PATH": str(libraries)})
    say("compiler", f"unpacked a compiler; it is started as {(PROGRAMS / 'cc').relative_to(CACHE.parent)}")
