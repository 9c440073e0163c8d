"""One node per data folder: a second one would take the first one's open records for those of a killed run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parley.app.settings import SettingsError

LOCK_FILE = "node.lock"


@contextmanager
def data_lock(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; the lock goes with the process, however it ends.

    Raises SettingsError when another node holds it, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as err:
        raise SettingsError(f"data_dir = {str(folder)!r} cannot be written ({err.strerror})") from err
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise SettingsError(
                f"data_dir = {str(folder)!r} is in use by another node: stop it, or give this one a data_dir of its own"
            ) from err
        yield
    finally:
        os.close(descriptor)
