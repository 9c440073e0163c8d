"""Whether a process that is not ours to wait for still lives."""

from __future__ import annotations

from pathlib import Path


def is_alive(pid: int) -> bool:
    """Tell whether the process runs; one that has ended and that nobody has waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    # The program's name, in brackets, may hold spaces; the state follows (proc(5)).
    return status.rpartition(")")[2].split()[0] != "Z"
