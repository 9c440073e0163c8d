"""Collect a key entry: digits until there are enough, a terminator, or no further one for a while."""

from __future__ import annotations

from parley.conversation.flow.step import KeyPlan
from parley.conversation.timings import samples_of


class KeyEntry:
    """One entry of the caller's."""

    def __init__(self, plan: KeyPlan, rate_hz: int) -> None:
        """plan: how many digits, and what ends them."""
        self._plan = plan
        self._patience = samples_of(plan.inter_digit_ms, rate_hz)
        self.digits = ""
        """What was entered. The terminator is left out, unless it is all that was pressed."""
        self.first_key: int | None = None
        self.last_key: int | None = None
        """Position of the last key."""
        self.complete = False

    @property
    def decide_at(self) -> int | None:
        """Position at which to call `decide()`, unless a key comes before."""
        return None if self.complete or self.last_key is None else self.last_key + self._patience

    def press(self, digit: str, position: int) -> None:
        """Take a key. Keys after the end of the entry are ignored."""
        if self.complete:
            return
        self.first_key = position if self.first_key is None else self.first_key
        self.last_key = position
        if digit == self._plan.terminator and self.digits:
            self.complete = True
            return
        self.digits += digit
        self.complete = digit == self._plan.terminator or len(self.digits) >= self._plan.max_digits

    def decide(self, position: int) -> None:
        """Complete the entry when no key came for long enough."""
        decide_at = self.decide_at
        if decide_at is not None and position >= decide_at:
            self.complete = True
