"""How long closing down may take: what hangs beyond that is named in the log, and the process ends without it.

The node begins it. A thread watches, as the event loop itself may hang, or, behind it, a thread that the interpreter
waits for. What no thread of Python's can end any more, faulthandler's own ends.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from parley.app.exit_status import HANGS
from parley.app.logs import write_out

logger = logging.getLogger(__name__)

CLOSE_WITHIN_S = 20.0
"""From the last call to the end of the process. 14 s were seen, with Asterisk stopped and the database locked: the
records of the last calls may take 10."""
LAST_RESORT_S = 5.0
"""Beyond the deadline: a stuck interpreter is ended, with status 1."""
PLACES = 3
"""Told of each task and thread: the innermost."""


def end_process(status: int) -> None:
    """End at once, with what the log still holds; nothing is waited for. A call's facts are on disk already."""
    write_out()
    os._exit(status)


def end_stuck_interpreter(after_s: float) -> None:
    """Let faulthandler write where all threads are, and end the process, after this time; replaces an earlier one."""
    faulthandler.dump_traceback_later(after_s, exit=True)


class ClosingDeadline:
    """The deadline of one process. Make it on its event loop."""

    def __init__(
        self,
        end: Callable[[int], None] = end_process,
        last_resort: Callable[[float], None] = end_stuck_interpreter,
    ) -> None:
        """end: is to end the process with this status; called on another thread.   last_resort: does so later."""
        self._loop = asyncio.get_running_loop()
        self._end = end
        self._last_resort = last_resort
        self._changed = threading.Condition()
        self._due: float | None = None
        """On the monotonic clock."""

    def begin(self, within_s: float = CLOSE_WITHIN_S) -> None:
        """Let the process end within this time, or earlier where it has been told so before."""
        due = time.monotonic() + within_s
        with self._changed:
            if self._due is not None and due >= self._due:
                return
            first, self._due = self._due is None, due
            self._changed.notify()
        self._last_resort(within_s + LAST_RESORT_S)
        if first:
            # A daemon: it does not keep the process, and runs on while the interpreter waits for other threads.
            threading.Thread(target=self._watch, name="closing deadline", daemon=True).start()

    def _watch(self) -> None:
        with self._changed:
            while self._due is not None and (left_s := self._due - time.monotonic()) > 0:
                self._changed.wait(left_s)
        facts = {"tasks": [*_tasks(self._loop)], "threads": [*_threads()]}
        logger.critical("closing down hangs; the process ends without it", extra=facts)
        self._end(HANGS)


def _tasks(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """Yield the name of each task, and where it waits."""
    for task in asyncio.all_tasks(loop):
        yield f"{task.get_name()}: {_path([*_awaited(task.get_coro())])}"


def _awaited(waiting: Any) -> Iterator[str]:
    """Yield the places of a coroutine and of what it awaits, the outermost first."""
    while waiting is not None:
        kind = next((kind for kind in ("cr", "ag", "gi") if hasattr(waiting, f"{kind}_frame")), None)
        if kind is None:
            return
        frame: FrameType | None = getattr(waiting, f"{kind}_frame")
        if frame is not None:
            yield _place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        waiting = getattr(waiting, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")


def _threads() -> Iterator[str]:
    """Yield the name of each thread that the process waits for at its end, and where it is."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if not thread.daemon and frame is not None:
            stack = traceback.extract_stack(frame)
            yield f"{thread.name}: {_path([_place(at.filename, at.lineno or 0, at.name) for at in stack])}"


def _path(places: list[str]) -> str:
    return " > ".join(places[-PLACES:])


def _place(file: str, line: int, function: str) -> str:
    return f"{'/'.join(file.split('/')[-3:])}:{line} {function}"
