"""Tell a key that Asterisk reports twice from one that was pressed twice.

Asterisk keeps 45 ms between two keys, and stretches short ones to 80 ms. A key that ends too soon for that is put back
and read again a moment later, and each time it sends ChannelDtmfReceived (22.10, `__ast_read`): the same digit with the
same duration, sooner than a finger, or a dialler, could have pressed it again. What is read again has lost its
beginning, so Asterisk plays it in full, and whatever comes meanwhile is put back in its turn.
"""

from __future__ import annotations

GAP_MS = 45
"""What Asterisk keeps between two keys."""
STRETCHED_MS = 80
"""What it makes of shorter keys, and of keys that came in a burst."""
SLACK_MS = 25
"""From the moment a key may be read again until it is."""
LATE_MS = 40
"""By how much it may be late with the end of a key and of the gap: it looks when speech arrives, each 20 ms."""

TIMER_MS = 5
"""Between Asterisk's looks and the times of its events."""


class RepeatedKeys:
    """The keys of one channel, in the order of their events."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None
        self._last_ms = 0
        self._again_within_ms = 0
        """After the last key: how long the same may be reported once more."""
        self._busy_until_ms = 0
        """Asterisk's time until which it plays a key that it has read again, and keeps the gap after it."""

    def is_repeat(self, digit: str, duration_ms: int, at_ms: int | None) -> bool:
        """Take an event and tell whether it is the last one again.

        at_ms: Asterisk's time of it, which is the end of the key; None is never a repeat.
        """
        if at_ms is None:
            return False
        since_ms = at_ms - self._last_ms
        if since_ms < 0:
            # Asterisk's clock was set back.
            self._busy_until_ms = 0
        if self._last == (digit, duration_ms) and 0 <= since_ms < self._again_within_ms:
            # Asterisk counts from here until it takes the next one.
            self._again_within_ms, self._last_ms = 0, at_ms
            self._busy_until_ms = at_ms + max(STRETCHED_MS, duration_ms) + GAP_MS
            return True
        self._again_within_ms = self._patience_ms(duration_ms, since_ms, at_ms) if self._last is not None else 0
        self._last, self._last_ms = (digit, duration_ms), at_ms
        return False

    def _patience_ms(self, duration_ms: int, since_ms: int, at_ms: int) -> int:
        """Return for how long a key may be reported again that ended `since_ms` after the event before."""
        busy_ms = self._busy_until_ms - at_ms
        if busy_ms > -LATE_MS:
            return max(busy_ms, 0) + GAP_MS
        deferred_ms = STRETCHED_MS + GAP_MS
        if since_ms >= deferred_ms + SLACK_MS:
            # Its beginning may have been skipped while the last was being stretched, and it ended in the gap after it.
            return max(deferred_ms + LATE_MS + TIMER_MS - since_ms, 0)
        # One that took longer than the time since the last came in a burst: it waits for the last to be stretched.
        return deferred_ms + SLACK_MS if since_ms < duration_ms else min(duration_ms, deferred_ms) + GAP_MS // 2
