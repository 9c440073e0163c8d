"""clang with libFuzzer, for `make fuzz`: the system's own, else the distribution's packages, unpacked."""

from __future__ import annotations

import subprocess
import tempfile
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

ROOT = CACHE / "fuzzer"
_VERSIONS = {"bookworm": 14, "trixie": 19, "jammy": 14, "noble": 18}
"""Of clang, by release: the name of the package with libFuzzer has it."""
_NAME = "parley-clang"
_PROBE = (
    "int LLVMFuzzerTestOneInput(const unsigned char *octets, unsigned long size) { return size > 9 && octets[9]; }\n"
)


def prepare() -> None:
    """See to it that C can be compiled for libFuzzer. Raises PreparationFailed or PackagesUnavailable."""
    release = system_release()
    codename = release.get("UBUNTU_CODENAME") or release.get("VERSION_CODENAME", "")
    stamp = Stamp("fuzzer", {"system": release.get("PRETTY_NAME", "")})
    if stamp.is_valid and command() is not None:
        return
    if command() is None:
        if codename not in _VERSIONS:
            raise PackagesUnavailable(f"there is no clang with libFuzzer, and none is known for {codename!r}")
        _unpack(_VERSIONS[codename])
    if command() is None:
        raise PreparationFailed("the clang that was unpacked does not link a fuzzer; install clang with libFuzzer")
    stamp.write()


def command() -> list[str] | None:
    """Return the command that compiles C for libFuzzer; None where there is none."""
    for candidate in (installed_program("clang"), str(PROGRAMS / _NAME)):
        if candidate and _links([candidate]):
            return [candidate]
    return None


def _links(compiler: list[str]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text(_PROBE, encoding="utf-8")
        flags = ["-fsanitize=fuzzer,address,undefined", str(source), "-o", str(source.with_suffix(""))]
        try:
            tried = subprocess.run([*compiler, *flags], capture_output=True, check=False)
        except OSError:
            return False
        return tried.returncode == 0


def _unpack(version: int) -> None:
    own = own_archive()
    components = "main universe" if own.distribution == "ubuntu" else "main"
    packages = [f"clang-{version}", f"libclang-rt-{version}-dev"]
    unpack_packages("fuzzer", packages, own_archive(components=components), ROOT)
    clang = ROOT / f"usr/lib/llvm-{version}/bin/clang"
    write_starter(_NAME, [str(clang)], {"LD_LIBRARY_PATH": str(own_libraries(ROOT))})
    say("fuzzer", f"unpacked clang {version}; it is started as {(PROGRAMS / _NAME).relative_to(CACHE.parent)}")
