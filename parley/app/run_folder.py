"""A folder for this process's sockets, open to this user only, and gone with the process however it ends.

`supervisor` and `own_worker` take one each. Whoever is killed leaves it behind; the next one of ours removes it. Not in
`data_dir`: paths of Unix sockets must be short.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

PREFIX = "parley-"
OWNER = "owner"
"""A file in the folder, locked for as long as its process lives."""


@contextmanager
def run_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make the folder, and remove those of dead processes of this user.   parent: None for the system's own.

    Raises OSError.
    """
    parent = parent or Path(tempfile.gettempdir())
    _remove_left_ones(parent)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Locked before it has its name: nobody finds it without an owner.
        descriptor = os.open(folder / f"{OWNER}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (folder / f"{OWNER}.new").rename(folder / OWNER)
            yield folder
        finally:
            os.close(descriptor)


def _remove_left_ones(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)
            logger.info("run folder of a dead process removed", extra={"folder": str(folder)})


def _is_left(folder: Path) -> bool:
    """Tell whether the folder is one of ours, and nobody holds its lock."""
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return False
        descriptor = os.open(folder / OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
