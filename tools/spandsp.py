"""libspandsp, which tests and benchmarks compare with: the system's own, else the distribution's package, unpacked."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
from pathlib import Path

from tools.packages import PackagesUnavailable, own_archive, unpack_packages
from tools.places import CACHE, Stamp, say, system_release

ROOT = CACHE / "spandsp"
_PACKAGE = "libspandsp2"
_LIBRARY = "libspandsp.so.2"
_MISSING = re.compile(r"(\S+): cannot open shared object file")


def prepare() -> None:
    """See to it that the library can be loaded; where it cannot be had, say so: what needs it is left out."""
    if ctypes.util.find_library("spandsp") is not None:
        return
    stamp = Stamp("spandsp", {"package": _PACKAGE, "system": system_release().get("PRETTY_NAME", "")})
    if stamp.is_valid and _unpacked(_LIBRARY) is not None:
        return
    try:
        own = own_archive()
        components = "main universe" if own.distribution == "ubuntu" else "main"
        unpack_packages("spandsp", [_PACKAGE], own_archive(components=components), ROOT)
    except PackagesUnavailable as error:
        say("spandsp", f"{error}; comparisons with spandsp will be left out")
        return
    stamp.write()


def load() -> ctypes.CDLL | None:
    """Load the library; None where neither the system nor the cache has it."""
    name = ctypes.util.find_library("spandsp")
    if name is not None:
        return ctypes.CDLL(name)
    return None if _unpacked(_LIBRARY) is None else _load_unpacked(_LIBRARY)


def _unpacked(name: str) -> Path | None:
    return next(iter(sorted(ROOT.glob(f"usr/lib/*/{name}"))), None)


def _load_unpacked(name: str) -> ctypes.CDLL:
    """Load a library of the unpacked tree, after those that it asks for and the system does not have."""
    path = _unpacked(name)
    if path is None:
        raise OSError(f"{name} is not in {ROOT}")
    while True:
        try:
            return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            missing = _MISSING.match(str(error))
            if missing is None or missing[1] == name:
                raise
            _load_unpacked(missing[1])
