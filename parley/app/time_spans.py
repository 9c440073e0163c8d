"""Points in time as one types them on the command line: `90m`, `24h`, `7d`, `2026-11-25`, `2026-11-25T14:30`."""

from __future__ import annotations

import re
from datetime import datetime

_AGO = re.compile(r"(\d{1,6})([mhd])")
_UNIT_S = {"m": 60, "h": 3600, "d": 86_400}


class TimeError(Exception):
    """What was typed is no point in time."""

    code = "time"
    retryable = False


def moment_of(typed: str, now: float) -> float:
    """Return a point in time as seconds since the epoch. Raises TimeError.

    typed: a time before now, or a date with or without time of day, in the machine's own zone unless it names one.
    now: seconds since the epoch.
    """
    ago = _AGO.fullmatch(typed)
    if ago is not None:
        return now - int(ago[1]) * _UNIT_S[ago[2]]
    try:
        return datetime.fromisoformat(typed).timestamp()
    except (ValueError, OverflowError) as err:
        raise TimeError(
            f"{typed!r} is no time: write for instance 90m, 24h, 7d, 2026-11-25 or 2026-11-25T14:30"
        ) from err
