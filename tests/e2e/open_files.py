"""What a process has open, from /proc: for tests that nothing leaks."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """What a call may take. TCP is left out: connections to Asterisk are kept for the next request."""

    udp_sockets: int
    others: int
    """Descriptors of files, pipes, Unix sockets."""


def open_files(pid: int) -> OpenFiles:
    """Count what a process has open. A socket with several descriptors is one."""
    targets = _targets(pid)
    udp, tcp = _inodes(pid, "udp"), _inodes(pid, "tcp")
    return OpenFiles(
        udp_sockets=len(udp.intersection(targets)),
        others=sum(target not in udp | tcp for target in targets),
    )


def _inodes(pid: int, protocol: str) -> set[str]:
    tables = (Path(f"/proc/{pid}/net/{name}").read_text() for name in (protocol, f"{protocol}6"))
    return {f"socket:[{line.split()[9]}]" for table in tables for line in table.splitlines()[1:]}


def _targets(pid: int) -> list[str]:
    targets = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        # It may have been closed since it was listed.
        with suppress(FileNotFoundError):
            targets.append(os.readlink(descriptor))
    return targets
