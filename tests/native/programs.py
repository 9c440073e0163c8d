"""Builds the C tests: each `test_*.c` and `fuzz_*.c` here is a program, linked with the media core's kernels.

Run by `test_programs.py` as they are, by `python -m tests.native` under sanitizers (make sanitize) and for aarch64
(make test-aarch64); `fuzzing.py` (make fuzz) gives the fuzz targets to libFuzzer, here they are driven by
fuzz_by_chance.c.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tools.aarch64 import Commands

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
KERNELS = ROOT / "media_core" / "native"
SUPPRESSIONS = HERE / "thread_sanitizer.suppressions"
FLAGS = ("-std=gnu11", "-ffp-contract=off", "-g", "-pthread", "-Wall", "-Wextra", "-Werror", f"-I{KERNELS}")
LIBRARIES = ("-lm", "-pthread")
IN_VIRTUAL_TIME = frozenset({"test_engine", "fuzz_session"})
"""Programs on a network of their own (fake_datagrams.c) instead of the system's."""
CHANCE = "fuzz_by_chance"
LONGEST_RUN_S = 300


def _compiler() -> list[str]:
    """Return the command that compiles C."""
    return shlex.split(os.environ.get("CC", "")) or [shutil.which("cc") or shutil.which("gcc") or "cc"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to compile and run the programs."""

    name: str
    flags: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    compiler: tuple[str, ...] = field(default_factory=lambda: tuple(_compiler()))
    runner: tuple[str, ...] = ()
    """What runs a program that this machine cannot run itself."""
    has_driver: bool = False
    """Whether the compiler drives fuzz targets itself."""

    @property
    def folder(self) -> Path:
        """Where what is built lies."""
        return ROOT / "build" / "native" / self.name


PLAIN = Variant("plain", ("-O1",))
# PM_NO_CLONES: functions are chosen by processor before a sanitizer is ready. What the compiler says of fences under
# -fsanitize=thread does not matter here: everything that they order is atomic.
ADDRESS = Variant(
    "address",
    ("-O1", "-DPM_NO_CLONES", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    (
        ("ASAN_OPTIONS", "detect_stack_use_after_return=1"),
        ("UBSAN_OPTIONS", "print_stacktrace=1"),
    ),
)
THREAD = Variant(
    "thread",
    ("-O1", "-DPM_NO_CLONES", "-fsanitize=thread", "-Wno-tsan"),
    (("TSAN_OPTIONS", f"halt_on_error=1:suppressions={SUPPRESSIONS}"),),
)
VARIANTS = {variant.name: variant for variant in (PLAIN, ADDRESS, THREAD)}


def aarch64(commands: Commands) -> Variant:
    """Return how programs are made for aarch64, as optimised as they are shipped, and run on another processor."""
    return Variant("aarch64", ("-O3",), compiler=commands.compiler, runner=commands.runner)


def names() -> list[str]:
    """Return the programs' names."""
    return [*sorted(path.stem for path in HERE.glob("test_*.c")), *fuzz_targets()]


def fuzz_targets() -> list[str]:
    """Return the names of those that are fuzzed."""
    return sorted(path.stem for path in HERE.glob("fuzz_*.c") if path.stem != CHANCE)


def build(name: str, variant: Variant) -> Path:
    """Compile and link one program, as far as that has not been done; return it. Raises CalledProcessError."""
    network = HERE / "fake_datagrams.c" if name in IN_VIRTUAL_TIME else KERNELS / "datagrams.c"
    sources = [HERE / f"{name}.c", network, *(path for path in KERNELS.glob("*.c") if path.name != "datagrams.c")]
    if name in fuzz_targets() and not variant.has_driver:
        sources.append(HERE / f"{CHANCE}.c")
    variant.folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        objects = sorted(workers.map(lambda path: str(_compiled(path, variant)), sources))
    program = variant.folder / name
    subprocess.run([*variant.compiler, *variant.flags, *objects, *LIBRARIES, "-o", str(program)], check=True)
    return program


def run(name: str, variant: Variant, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Build and run one program; its output is whole when it fails, too."""
    program = build(name, variant)
    # Sanitizers keep large parts of the address space for themselves, which a randomised layout may occupy.
    layout = ["setarch", "-R"] if variant in (ADDRESS, THREAD) and shutil.which("setarch") else []
    return subprocess.run(
        [*layout, *variant.runner, str(program), *arguments],
        env={**os.environ, **dict(variant.environment)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LONGEST_RUN_S,
    )


def _compiled(source: Path, variant: Variant) -> Path:
    """Return the object file of a source; its name says what it was made from, so that it is made once."""
    command = [*variant.compiler, *FLAGS, f"-I{HERE}", *variant.flags]
    made_from = hashlib.sha256(repr(command).encode())
    for path in (source, *sorted(KERNELS.glob("*.h")), *sorted(HERE.glob("*.h"))):
        made_from.update(path.read_bytes())
    made = variant.folder / f"{source.stem}-{made_from.hexdigest()[:16]}.o"
    if not made.exists():
        partial = made.with_suffix(f".{os.getpid()}.partial")
        subprocess.run([*command, "-c", str(source), "-o", str(partial)], check=True)
        partial.rename(made)
    return made
