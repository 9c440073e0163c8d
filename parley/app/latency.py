"""How long callers wait for the agent: percentiles, and a warning when they grow beyond the site's objective.

The node's call log feeds the watch with every turn; `parley latency` asks for percentiles of recorded turns.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

logger = logging.getLogger(__name__)

WATCHED_TURNS = 100
"""The latest turns, of all calls of the node, that are held against the objective."""
FEWEST_TURNS = 20
"""Before there are so many, one slow turn would be the whole percentile."""
WATCHED_SHARE = 0.95


def percentile(sorted_values: Sequence[int], share: float) -> int:
    """Return the smallest value that this share of them does not exceed (nearest rank).

    sorted_values: ascending, at least one.   share: above 0, at most 1.
    """
    rank = -(-round(len(sorted_values) * share * 1000) // 1000)
    return sorted_values[max(1, rank) - 1]


class LatencyWatch:
    """The response times of the latest turns against an objective; tells each crossing once, in both directions."""

    def __init__(self, objective_ms: int) -> None:
        """objective_ms: what 95 % of the responses are not to exceed; 0 watches without an objective."""
        self._objective_ms = objective_ms
        self._latest: deque[int] = deque(maxlen=WATCHED_TURNS)
        self._missed = False

    @property
    def p95_ms(self) -> int | None:
        """Of the latest turns; None while they are too few."""
        if len(self._latest) < FEWEST_TURNS:
            return None
        return percentile(sorted(self._latest), WATCHED_SHARE)

    def add(self, response_ms: int) -> None:
        """Take a turn's response time, and warn when the objective is missed from now on."""
        self._latest.append(response_ms)
        p95_ms = self.p95_ms
        if p95_ms is None or not self._objective_ms:
            return
        missed = p95_ms > self._objective_ms
        if missed != self._missed:
            self._missed = missed
            fields = {"p95_ms": p95_ms, "objective_ms": self._objective_ms, "turns": len(self._latest)}
            if missed:
                logger.warning("callers wait too long for the agent", extra=fields)
            else:
                logger.info("callers wait no longer than they should", extra=fields)
