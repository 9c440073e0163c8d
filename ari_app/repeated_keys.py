"""Tell a key that Asterisk reports twice from one that was pressed twice.

Asterisk keeps 45 ms between two keys, and stretches short ones to 80 ms. A key that ends too soon for that is put back
and read again a moment later, and each time it sends ChannelDtmfReceived (22.10, `__ast_read`): the same digit with the
same duration, sooner than a finger, or a dialler, could have pressed it again.
"""

from __future__ import annotations

GAP_MS = 45
"""What Asterisk keeps between two keys."""
STRETCHED_MS = 80
"""What it makes of shorter keys, and of keys that came in a burst."""
SLACK_MS = 25
"""From the moment a key may be read again until it is."""


class RepeatedKeys:
    """The keys of one channel, in the order of their events."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None
        self._last_ms = 0
        self._again_within_ms = 0
        """After the last key: how long the same may be reported once more."""

    def is_repeat(self, digit: str, duration_ms: int, at_ms: int | None) -> bool:
        """Take an event and tell whether it is the last one again.

        at_ms: Asterisk's time of it, which is the end of the key; None is never a repeat.
        """
        if at_ms is None:
            return False
        since_ms = at_ms - self._last_ms
        if self._last == (digit, duration_ms) and 0 <= since_ms < self._again_within_ms:
            # Asterisk counts from here until it takes the next one.
            self._again_within_ms, self._last_ms = 0, at_ms
            return True
        self._again_within_ms = self._patience_ms(duration_ms, since_ms) if self._last is not None else 0
        self._last, self._last_ms = (digit, duration_ms), at_ms
        return False

    @staticmethod
    def _patience_ms(duration_ms: int, since_ms: int) -> int:
        """Return for how long a key may be reported again that ended `since_ms` after the one before."""
        deferred_ms = STRETCHED_MS + GAP_MS
        if since_ms >= deferred_ms + SLACK_MS:
            return 0
        # One that took longer than the time since the last came in a burst: it waits for the last to be stretched.
        return deferred_ms + SLACK_MS if since_ms < duration_ms else min(duration_ms, deferred_ms) + GAP_MS // 2
