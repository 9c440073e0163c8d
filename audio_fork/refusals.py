"""Strangers on a listening port: counted each, logged rarely, so that they cannot fill the log.

`audiosocket_server` has one, and so has the application for requests over HTTP.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

logger = logging.getLogger(__name__)

LOG_EVERY_S = 10.0


class Refusals:
    """Counts what is refused by reason; at most one log line every LOG_EVERY_S."""

    def __init__(
        self,
        message: str,
        on_refused: Callable[[str], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """message: what the log says. on_refused: told each reason, a stable word; for metrics."""
        self.by_reason: Counter[str] = Counter()
        self._message = message
        self._on_refused = on_refused
        self._monotonic = monotonic
        self._next_log_s = 0.0
        self._unlogged = 0

    def add(self, reason: str, address: str) -> None:
        """Count one. reason: a stable word. address: of the stranger, as the system gives it."""
        self.by_reason[reason] += 1
        self._unlogged += 1
        if self._on_refused is not None:
            self._on_refused(reason)
        now_s = self._monotonic()
        if now_s >= self._next_log_s:
            logger.warning(
                self._message,
                extra={"why": reason, "address": address, "refused_since_last": self._unlogged},
            )
            self._next_log_s = now_s + LOG_EVERY_S
            self._unlogged = 0
