"""Become another program that Linux kills when its parent dies: `python die_with_parent.py PARENT_PID PROGRAM …`.

`child_process` starts it by its path. It runs after exec, where code between fork and exec could wait for ever for a
lock that a thread of the parent held.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Run the command in this process. A parent that has just died is noticed too."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 (no shell; the command is ours)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
