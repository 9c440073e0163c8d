"""Closing down that hangs: named in the log, and over in time whatever it is that hangs."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from parley.app.closing_deadline import ClosingDeadline
from parley.app.exit_status import HANGS

LIMIT_S = 30.0
PROCESS = """
import asyncio, logging, threading, time
from parley.app.closing_deadline import ClosingDeadline
from parley.app.logs import configure_logging

configure_logging(json=True, level="INFO", personal_data=False)

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def close():
    ClosingDeadline().begin({within_s})
    {hangs}

asyncio.run(close())
"""


def ended(hangs: str, within_s: float = 0.2) -> subprocess.CompletedProcess[str]:
    """Run a process that closes down so; it must end by itself."""
    script = PROCESS.format(hangs=hangs, within_s=within_s)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.mark.parametrize(
    ("hangs", "named"),
    [
        ("await asyncio.Event().wait()", "asyncio/locks.py"),
        ("task = asyncio.create_task(stubborn(), name='call 7')", "call 7: <string>"),
        ("threading.Event().wait()", "MainThread: "),
        ("threading.Thread(target=threading.Event().wait, name='disk').start()", "disk: "),
        ("asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)", "asyncio_0: "),
    ],
    ids=["step", "task that heeds no cancellation", "event loop", "thread at the end", "executor"],
)
def test_process_whose_closing_hangs_ends_and_names_what_hangs(hangs: str, named: str) -> None:
    process = ended(hangs)
    assert process.returncode == HANGS
    line = json.loads(process.stderr.splitlines()[-1])
    assert line["level"] == "critical"
    assert any(named in place for place in line["tasks"] + line["threads"]), line


def test_process_that_closes_in_time_ends_as_ever() -> None:
    process = ended("await asyncio.sleep(0)", within_s=LIMIT_S)
    assert (process.returncode, process.stderr) == (0, "")


def test_interpreter_that_no_thread_of_its_own_can_end_is_ended_all_the_same() -> None:
    process = ended(
        "import ctypes; from parley.app import closing_deadline as c; c.end_stuck_interpreter(0.2); "
        "ctypes.PyDLL(None).pause()",
        within_s=LIMIT_S,
    )
    assert process.returncode == 1
    assert "most recent call first" in process.stderr


class Overdue:
    """What a deadline has done; it ends no process."""

    def __init__(self) -> None:
        self.last_resorts: list[float] = []
        self._statuses: list[int] = []
        self._over = threading.Event()
        self.end: Callable[[int], None] = self._end

    def _end(self, status: int) -> None:
        self._statuses.append(status)
        self._over.set()

    async def statuses(self) -> list[int]:
        """Wait for the end."""
        assert await asyncio.to_thread(self._over.wait, LIMIT_S)
        return self._statuses


async def test_of_several_deadlines_the_earliest_counts(caplog: pytest.LogCaptureFixture) -> None:
    overdue = Overdue()
    deadline = ClosingDeadline(overdue.end, overdue.last_resorts.append)
    with caplog.at_level(logging.CRITICAL):
        for within_s in (3600.0, 0.0, 1800.0):
            deadline.begin(within_s)
        assert await overdue.statuses() == [HANGS]
    assert len(overdue.last_resorts) == 2
    assert overdue.last_resorts[0] > 3600.0 > overdue.last_resorts[1] > 0.0
    assert len(caplog.records) == 1
