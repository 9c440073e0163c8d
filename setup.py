"""Build of the Cython media core and placement of the data folders; everything else is in pyproject.toml."""

import os
from glob import glob
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("PARLEY_CYTHON_DEBUG") == "1"
"""`make debug` builds with every check of Cython's turned on, and traps where C leaves an operation undefined."""

# Fused multiplication and addition would make results depend on the processor.
FAST = ["-O3", "-std=gnu11", "-ffp-contract=off"]
CHECKED = ["-O0", "-g", "-std=gnu11", "-ffp-contract=off", "-DPM_NO_CLONES", "-fsanitize=undefined"]
CHECKED += ["-fsanitize-undefined-trap-on-error"]

EXTENSIONS = [
    Extension(
        source.removesuffix(".pyx").replace(os.sep, "."),
        # The other modules say themselves which kernels they use; the engine uses nearly all of them.
        [source, *(sorted(glob("media_core/native/*.c")) if source == "media_core/engine.pyx" else [])],
        include_dirs=["media_core"],
        depends=glob("media_core/native/*.[ch]"),
        extra_compile_args=CHECKED if DEBUG else FAST,
    )
    for source in sorted(glob("media_core/*.pyx"))
]

if not EXTENSIONS:
    raise SystemExit("media_core/*.pyx are missing: this source tree is incomplete")

DIRECTIVES = {
    "language_level": "3",
    "boundscheck": DEBUG,
    "wraparound": DEBUG,
    "initializedcheck": DEBUG,
    "overflowcheck": DEBUG,
    "cdivision": not DEBUG,
    "embedsignature": True,
}


def data_files(*roots: str) -> list[tuple[str, list[str]]]:
    """Place each folder below these roots under share/parley/ as it stands."""
    placed: dict[str, list[str]] = {}
    for root in roots:
        for path in sorted(Path(root).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                placed.setdefault(f"share/parley/{path.parent.as_posix()}", []).append(path.as_posix())
    return list(placed.items())


setup(
    ext_modules=cythonize(EXTENSIONS, compiler_directives=DIRECTIVES, build_dir="build/cython"),
    data_files=data_files("flows", "asterisk_conf", "dialplans"),
)
