"""What Asterisk says about itself, and what its version has.

The only place that reads version numbers: `rest` fetches them, `call_control` and the doctor ask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_VERSION = re.compile(r"(?:certified[/-])?(\d+)(?:\.(\d+))?", re.ASCII)
_FIRST_WITH_VARIABLES = {20: 20, 22: 10, 23: 4}


@dataclass(frozen=True, slots=True)
class AsteriskInfo:
    """One Asterisk's version."""

    version: str
    """For instance `22.10.1`, with a distribution's suffix if it has one."""

    @property
    def major(self) -> int:
        """0 when the version does not begin with a number (a build from git)."""
        return self._numbers[0]

    @property
    def sets_variables_together(self) -> bool:
        """Whether it has the request that `AriRest.set_variables` makes: 20.20, 22.10, 23.4 and their successors."""
        return self.has(_FIRST_WITH_VARIABLES, unreadable=False)

    def has(self, first: Mapping[int, int], *, unreadable: bool) -> bool:
        """Tell whether it is as new as the first with something.

        first: major → minor version; majors between that are missing never got it, those after the last all have it.
        unreadable: what holds for a version without numbers.
        """
        major, minor = self._numbers
        if not major:
            return unreadable
        return major > max(first) or (major in first and minor >= first[major])

    @property
    def _numbers(self) -> tuple[int, int]:
        read = _VERSION.match(self.version)
        return (int(read[1]), int(read[2] or 0)) if read else (0, 0)
