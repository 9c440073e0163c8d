"""The processes that Parley starts of itself: how they are called, and that they do not outlive who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from parley.app import die_with_parent
from parley.app.settings import Settings


class ChildProcess:
    """A child in a session of its own (Ctrl-C is for its parent), which Linux kills when its parent dies."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], ends_with_stdin: bool = False) -> None:
        """Start it. Raises OSError.   environment: added to ours.   ends_with_stdin: else by SIGTERM."""
        self._process = subprocess.Popen(  # noqa: S603 (no shell; the command is ours)
            # -I -S: nothing of the environment, nothing but the standard library: it starts at once.
            [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), *command],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE if ends_with_stdin else subprocess.DEVNULL,
            start_new_session=True,
        )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return its exit status (negative: a signal), None while it runs."""
        status = self._process.poll()
        if status is not None and self._process.stdin is not None:
            self._process.stdin.close()
        return status

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(sig)

    def ask_to_stop(self) -> None:
        """Tell it to end in its own time."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        else:
            self._process.send_signal(signal.SIGTERM)


def node_command(config: Path | None) -> list[str]:
    """Return the command line of a node."""
    place = [] if config is None else [f"--config={config}"]
    return [sys.executable, "-m", "parley.app.cli", "serve", *place]


def worker_command(settings: Settings, address: str) -> list[str]:
    """Return the command line of a worker that ends with its standard input."""
    return [
        sys.executable,
        "-m",
        "parley.app.worker",
        f"--address={address}",
        "--child",
        f"--engines={settings.engines.for_worker()}",
        f"--log-level={settings.log.level}",
        *(["--json-lines"] if settings.log.json_lines else []),
    ]
