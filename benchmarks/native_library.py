"""C that only a benchmark needs, compiled beside the media core's own kernels when it is asked for."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLAGS = ("-O3", "-std=gnu11", "-ffp-contract=off")
"""Those of setup.py."""


def compiled(name: str, kernels: Sequence[str]) -> ctypes.CDLL:
    """Compile benchmarks/native/NAME.c with media_core/native/KERNEL.c, and load it. Raises CalledProcessError."""
    sources = [f"benchmarks/native/{name}.c", *(f"media_core/native/{kernel}.c" for kernel in kernels)]
    library = _compile(f"{name}.so", ["-shared", "-fPIC", *FLAGS, *sources])
    return ctypes.CDLL(str(library))


def program(name: str) -> Path:
    """Compile benchmarks/native/NAME.c and return the program. Raises CalledProcessError."""
    return _compile(name, [*FLAGS, "-Wall", "-Wextra", f"benchmarks/native/{name}.c"])


def _compile(name: str, arguments: Sequence[str]) -> Path:
    path = ROOT / "build" / "bench" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    compiler = shlex.split(os.environ.get("CC", "cc"))
    command = [*compiler, "-Imedia_core", "-Imedia_core/native", *arguments, "-lm", "-o", str(path)]
    subprocess.run(command, cwd=ROOT, check=True)
    return path
