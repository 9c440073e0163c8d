"""`python -m tests.native.other_processor`: the C tests on qemu's aarch64 processor; what `make test-aarch64` does.

Besides what each program checks by itself, every kernel must compute there exactly what it computes here.
"""

from __future__ import annotations

import sys

from tests.native import programs
from tools import aarch64

COMPARED = "test_kernels"
"""Prints a digest of what each kernel makes of the same input."""


def main() -> int:
    """Run every program; return the exit status."""
    commands = aarch64.commands()
    if commands is None:
        print("test-aarch64: left out: there is no aarch64 compiler with qemu, and none could be unpacked")
        return 0
    failed = []
    for name in programs.names():
        done = programs.run(name, programs.aarch64(commands))
        wrong = done.returncode != 0 or "ok " not in done.stdout
        if name == COMPARED and done.stdout != programs.run(name, programs.PLAIN).stdout:
            wrong = True
            print(f"{name}: what the kernels compute differs from here")
        print(f"aarch64  {name:20} {'FAILED' if wrong else 'passed'}", flush=True)
        if wrong:
            failed.append(name)
            print(done.stdout, flush=True)
    if failed:
        print(f"test-aarch64: failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
