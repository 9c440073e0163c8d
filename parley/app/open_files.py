"""How many files and sockets a node may have open at once, and how many its calls need."""

from __future__ import annotations

import logging
import resource

from parley.app.settings import Settings

logger = logging.getLogger(__name__)

OF_THE_NODE = 512
"""Without calls: the most strangers at the AudioSocket port, requests to Asterisk and to us, worker, record, log."""
OF_A_CALL = 4
"""At most: a socket of the event loop's and one of the media thread's, a recording, a file that is read or written."""


def open_files_needed(settings: Settings) -> int:
    """Return how many a node with `limits.max_calls` calls may have open."""
    return OF_THE_NODE + OF_A_CALL * settings.limits.max_calls


def most_open_files() -> int:
    """Return how many this process may allow itself: its hard limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # Linux has no such limit without an end, but other systems do.
    return 2**31 if hard == resource.RLIM_INFINITY else hard


def allow_open_files(settings: Settings) -> None:
    """Raise this process's limit to what its calls may need; log a warning where the system does not let us.

    Services get 1,024 by default; each call by AudioSocket takes two.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed, most = open_files_needed(settings), most_open_files()
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, most), hard))
    if most < needed:
        logger.warning(
            "fewer files and sockets may be open than limits.max_calls needs", extra={"allowed": most, "needed": needed}
        )
