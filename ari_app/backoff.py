"""How long to wait before the next attempt to reach Asterisk.

`connection` asks after each failure.
"""

from __future__ import annotations

import random
from collections.abc import Callable

_CHANCE = random.SystemRandom().random


class Backoff:
    """Doubling waits up to a cap, each shortened by chance so that many nodes do not return at the same moment."""

    def __init__(self, first_s: float = 0.25, cap_s: float = 10.0, chance: Callable[[], float] = _CHANCE) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._chance = chance
        self._next_s = first_s

    def next_wait_s(self) -> float:
        """Return the wait before the next attempt: between half and all of what the doubling gives."""
        wait_s = self._next_s
        self._next_s = min(self._next_s * 2, self._cap_s)
        return wait_s * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        """Begin again with the first wait, after a connection that lasted."""
        self._next_s = self._first_s
