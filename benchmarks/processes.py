"""What processes use: processor time and memory of one, or of one with all its children, read from /proc.

Benchmarks and the soak look at Asterisk, node and worker apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.open_files import open_files as open_files_of

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """A process, or several together, at one moment."""

    at_s: float
    """By time.monotonic()."""
    cpu_s: float
    """Processor time so far, of those that still live."""
    memory_mb: float
    """Resident memory; what several share counts once (PSS)."""
    open_files: int
    """Without connections by TCP, which are kept for the next request."""
    private_mb: dict[int, float] = field(default_factory=dict)
    """Memory that a process shares with nobody, by process id."""

    def cores_since(self, earlier: Usage) -> float:
        """Return the mean number of cores kept busy since then."""
        return (self.cpu_s - earlier.cpu_s) / max(self.at_s - earlier.at_s, 1e-9)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the machine has kept processes waiting so far: what a part's own use cannot tell."""

    stolen_s: float = 0.0
    """Time of all cores that the hypervisor gave to others."""
    waited_s: float = 0.0
    """Time in which somebody who was ready to run had no core (pressure stall information)."""
    pages_read: int = 0
    """Times that somebody had to wait until a page of a file was back in memory (major faults)."""

    def since(self, earlier: Waits) -> Waits:
        """Return what has been added since then."""
        return Waits(
            self.stolen_s - earlier.stolen_s,
            self.waited_s - earlier.waited_s,
            self.pages_read - earlier.pages_read,
        )

    def __str__(self) -> str:
        return f"{self.stolen_s:.2f} s stolen, {self.waited_s:.2f} s of waiting for cores, {self.pages_read} pages read"


def waits_of_machine() -> Waits:
    """Read the kernel's counts; a kernel without pressure stall information counts no waiting."""
    stolen = int(Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=9)[8])
    waited_us = 0
    with suppress(OSError):  # not built in, or switched off
        some, *_ = Path("/proc/pressure/cpu").read_text(encoding="ascii").splitlines()
        waited_us = int(some.rpartition("total=")[2])
    [pages] = [
        int(line.split()[1])
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
        if line.startswith("pgmajfault ")
    ]
    return Waits(stolen / _TICKS_PER_S, waited_us / 1e6, pages)


def usage_of(*pids: int) -> Usage:
    """Measure these processes together; those that have just ended count as nothing."""
    cpu_s = memory_mb = 0.0
    open_files = 0
    private_mb: dict[int, float] = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            folder = Path("/proc") / str(pid)
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            cpu_s += (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
            memory = _memory_kb(folder)
            memory_mb += memory["Pss"] / 1024
            private_mb[pid] = (memory["Private_Clean"] + memory["Private_Dirty"]) / 1024
            files = open_files_of(pid)
            open_files += files.udp_sockets + files.others
    return Usage(time.monotonic(), cpu_s, memory_mb, open_files, private_mb)


def family_of(pid: int) -> list[int]:
    """Return the process and all its descendants."""
    family = [pid]
    for member in family:
        with suppress(FileNotFoundError, ProcessLookupError):
            for children in (Path("/proc") / str(member) / "task").glob("*/children"):
                family += map(int, children.read_text().split())
    return family


def children_running(pid: int, words: str) -> list[int]:
    """Return the children of a process whose command line has these words."""
    found = []
    for child in family_of(pid)[1:]:
        with suppress(FileNotFoundError, ProcessLookupError):
            command = (
                (Path("/proc") / str(child) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
            if words in command:
                found.append(child)
    return found


def _memory_kb(folder: Path) -> Mapping[str, int]:
    rows = [line.split() for line in (folder / "smaps_rollup").read_text().splitlines()[1:]]
    return {name.rstrip(":"): int(kb) for name, kb, *_ in rows}
