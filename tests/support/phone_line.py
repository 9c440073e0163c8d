"""A bad line between the test phone and the PBX: what the phone sends is lost, doubled, late, or out of order.

Chance is seeded: two runs meet the same line.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

ONE_AFTER_ANOTHER_S = 0.0001
"""Between packets that arrive at once."""


@dataclass
class PhoneLine:
    """What happens to each packet; a line without arguments is a good one."""

    loss: float = 0.0
    """Share of packets that are lost, 0 to 1."""
    duplicated: float = 0.0
    """Share of packets that arrive twice, the second time 10 ms later."""
    reordered: float = 0.0
    """Share of packets that are overtaken: they arrive 50 ms late."""
    jitter_s: float = 0.0
    """Packets are delayed by anything from 0 to this; none overtakes another, so they come in bursts."""
    held_until_s: float = 0.0
    """What is sent before this (monotonic) arrives at that time, all at once and in order."""
    seed: int = 7
    _chance: random.Random = field(init=False, repr=False)
    _last_s: float = field(init=False, default=0.0, repr=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def arrivals(self, now_s: float) -> list[float]:
        """Return when a packet that is sent now arrives, once for each copy; an empty list when it is lost."""
        if self._chance.random() < self.loss:
            return []
        arrival_s = now_s
        if self.jitter_s:
            arrival_s = self._last_s = max(self._last_s, now_s + self._chance.uniform(0.0, self.jitter_s))
        if self.held_until_s and now_s < max(self.held_until_s, self._last_s):
            # Timers of the same time go off in any order.
            arrival_s = self._last_s = max(self._last_s + ONE_AFTER_ANOTHER_S, arrival_s, self.held_until_s)
        if self._chance.random() < self.reordered:
            arrival_s += 0.05
        copies = [arrival_s]
        if self._chance.random() < self.duplicated:
            copies.append(arrival_s + 0.01)
        return copies
