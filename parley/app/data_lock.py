"""One process per node and data folder: a second one would take the first one's open records for those of a killed run.

Several nodes may share a folder: each has its own name, which the records bear.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parley.app.exit_status import is_passing
from parley.app.settings_tables import NotYet, SettingsError


@contextmanager
def data_lock(folder: Path, node: str) -> Iterator[None]:
    """Hold a node's name in the folder for this process; the lock goes with the process, however it ends.

    node: letters, digits, `_` and `-`. Raises NotYet when another process holds it (it may be about to end),
    SettingsError when the folder cannot be written.
    """
    taken = (
        f"asterisk.application = {node!r} is served by another process with this data_dir ({folder}): stop it, "
        "or give this node an application name (or a data_dir) of its own"
    )
    with _lock(folder, f"{node}.lock", taken):
        yield


@contextmanager
def supervisor_lock(folder: Path, node: str) -> Iterator[None]:
    """Hold the name of a supervisor's first node in the folder, as `data_lock` does. Raises the same."""
    taken = (
        f"another supervisor runs with asterisk.application = {node!r} and this data_dir ({folder}): stop it, or give "
        "this one an application name (or a data_dir) of its own"
    )
    with _lock(folder, f"{node}.supervisor.lock", taken):
        yield


@contextmanager
def _lock(folder: Path, name: str, taken: str) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as err:
        kind = NotYet if is_passing(err) else SettingsError
        raise kind(f"data_dir = {str(folder)!r} cannot be written ({err.strerror})") from err
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise NotYet(taken) from err
        yield
    finally:
        os.close(descriptor)
