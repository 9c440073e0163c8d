"""C that only a benchmark needs, compiled beside the media core's own kernels when it is asked for."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLAGS = ("-shared", "-fPIC", "-O3", "-std=gnu11", "-ffp-contract=off")
"""Those of setup.py."""


def compiled(name: str, kernels: Sequence[str]) -> ctypes.CDLL:
    """Compile benchmarks/native/NAME.c with media_core/native/KERNEL.c, and load it. Raises CalledProcessError."""
    library = ROOT / "build" / "bench" / f"{name}.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    sources = [f"benchmarks/native/{name}.c", *(f"media_core/native/{kernel}.c" for kernel in kernels)]
    compiler = shlex.split(os.environ.get("CC", "cc"))
    command = [*compiler, *FLAGS, "-Imedia_core", "-Imedia_core/native", *sources, "-lm", "-o", str(library)]
    subprocess.run(command, cwd=ROOT, check=True)
    return ctypes.CDLL(str(library))
