"""The signals by which a node is told to stop: SIGTERM and SIGINT (soon), SIGUSR1 (when its last call is over)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

STOP = (signal.SIGTERM, signal.SIGINT)
RETIRE = signal.SIGUSR1


class StopSignals:
    """What this process has been told. Make one per event loop; it takes the signals over."""

    def __init__(self, on_stop: Callable[[], None]) -> None:
        """Listen from now on.   on_stop: called when told to stop, each time."""
        self._on_stop = on_stop
        self.stopping = asyncio.Event()
        self.retiring = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in STOP:
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(RETIRE, self.retiring.set)

    def _stop(self) -> None:
        self._on_stop()
        self.stopping.set()

    async def until_stopping(self, work: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> bool:
        """Do the work; give it up when told to stop, or after `timeout_s`. Return whether it was done.

        Raises what the work raises. Cancelling: the work is cancelled.
        """
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait([working, stopping], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                return True
            return False
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.wait([working, stopping])
