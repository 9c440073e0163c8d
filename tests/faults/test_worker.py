"""The inference worker dies, stands still or goes mad in the middle of a sentence, the caller's or the agent's."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.faults.caller import AnsweringCaller
from tests.faults.case import Case
from tests.faults.site import FaultSite

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]

WITHIN_S = 0.8
"""From the beginning of the sentence."""
MOST_OVERWRITTEN = 1 << 20


async def in_mid_sentence(case: Case) -> AnsweringCaller:
    """Have a conversation, and return when the caller is in the middle of their second answer."""
    caller = await case.in_mid_call()
    await caller.speaking.wait()
    await asyncio.sleep(WITHIN_S)
    return caller


@pytest.mark.case("worker killed while the caller speaks")
async def test_worker_is_killed_while_the_caller_speaks(site: FaultSite, case: Case) -> None:
    caller = await in_mid_sentence(case)
    os.kill(site.worker_pid(), signal.SIGKILL)
    await case.go_on(caller, time.monotonic())


@pytest.mark.case("worker killed while the agent speaks")
async def test_worker_is_killed_while_the_agent_speaks(site: FaultSite, case: Case) -> None:
    caller = await in_mid_sentence(case)
    await case.agent_speaks(caller)
    await asyncio.sleep(WITHIN_S)
    os.kill(site.worker_pid(), signal.SIGKILL)
    await case.go_on(caller, time.monotonic())


@pytest.mark.case("worker stopped (SIGSTOP) in mid-sentence")
async def test_worker_is_stopped_in_mid_sentence(site: FaultSite, case: Case) -> None:
    caller = await in_mid_sentence(case)
    os.kill(site.worker_pid(), signal.SIGSTOP)
    await case.go_on(caller, time.monotonic())


@pytest.mark.case("worker's memory overwritten in mid-sentence")
async def test_workers_memory_is_overwritten_in_mid_sentence(site: FaultSite, case: Case) -> None:
    caller = await in_mid_sentence(case)
    overwrite_memory(site.worker_pid())
    await case.go_on(caller, time.monotonic())


def overwrite_memory(pid: int) -> None:
    """Write garbage over what a process has allocated."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    places = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ \S+ +(?:\[heap\])?$", maps, re.MULTILINE)
    assert places
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for start, end in places:
            size = min(int(end, 16) - int(start, 16), MOST_OVERWRITTEN)
            memory.seek(int(start, 16))
            memory.write(b"\xa5\x5a\xff\x00" * (size // 4))
