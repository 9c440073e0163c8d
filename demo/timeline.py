"""The demo's live timeline: who did what, in ms since the caller dialled."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape

STYLES = {"caller": "green", "agent": "cyan", "queue agent": "magenta", "asterisk": "dim", "parley": "dim"}


class Timeline:
    """Prints events as they happen."""

    def __init__(self, console: Console) -> None:
        """The clock starts now; `restart()` sets it again."""
        self._console = console
        self._started_s = time.monotonic()

    def restart(self, at_s: float) -> None:
        """Count from this moment (monotonic)."""
        self._started_s = at_s

    def add(self, who: str, what: str, at_s: float | None = None) -> None:
        """Print one event that happens now, or happened at `at_s` (monotonic)."""
        ms = round(((time.monotonic() if at_s is None else at_s) - self._started_s) * 1000)
        style = STYLES.get(who, "white")
        self._console.print(f"{ms:>7} ms  [{style}]{who:<12}[/] {escape(what)}", highlight=False, soft_wrap=True)
