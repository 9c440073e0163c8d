"""A wall clock that can be stepped for one process tree: clock_step.c, compiled when a test first wants it."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("clock_step.c")


class SteppedClock:
    """The time of day as the processes see it that were started with `environment`."""

    def __init__(self, folder: Path) -> None:
        """folder: for the library and the offset. Skips the calling test where there is no C compiler."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("no C compiler for the clock that is stepped")
        self._offset = folder / "clock-offset"
        self._library = folder / "clock_step.so"
        self.step(0.0)
        command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", str(SOURCE), "-o", str(self._library)]
        subprocess.run([*command, "-ldl"], check=True, timeout=60)

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the processes whose clock this is."""
        return {"LD_PRELOAD": str(self._library), "PARLEY_TEST_CLOCK": str(self._offset)}

    def step(self, seconds: float) -> None:
        """Set how far the clock is ahead of the machine's, from now on."""
        # Written in place: the processes have the file mapped.
        with self._offset.open("r+b" if self._offset.exists() else "wb") as file:
            file.write(struct.pack("q", round(seconds * 1e9)))
