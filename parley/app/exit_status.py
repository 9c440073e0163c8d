"""With which status a command ends, when it ends with an error that its user can do something about.

Supervisors go by it: what only a person can change is not tried again, what passes by itself is.
"""

from __future__ import annotations

import errno
import os

CANNOT_WORK = 2
"""Settings, flow, password or schema: it stays so until somebody changes it."""
TRY_AGAIN = os.EX_TEMPFAIL
"""75: locked, taken, full or away; the same command may work later."""
HANGS = os.EX_SOFTWARE
"""70: closing down took too long, which is a fault of ours or of the disk's."""

_PASSING = {
    *(errno.EADDRINUSE, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED),
    *(errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO, errno.ETIMEDOUT),
}
"""System errors that are not of somebody's making here, or go away without a change of the settings."""


def exit_status(error: Exception) -> int:
    """Return the status for an error of the system, or one of ours, which say whether they are retryable."""
    passing = is_passing(error) if isinstance(error, OSError) else bool(getattr(error, "retryable", False))
    return TRY_AGAIN if passing else CANNOT_WORK


def is_passing(error: OSError) -> bool:
    """Tell whether a system error may go away by itself."""
    return error.errno in _PASSING
