"""The disk is full, and somebody else holds the database's lock, in the middle of a call."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, NoReturn

import pytest
import pytest_asyncio

from tests.faults.caller import AnsweringCaller
from tests.faults.case import Case, have_a_call
from tests.faults.site import FaultSite
from tests.support.namespaces import Namespace, require_namespaces

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]

DISK = "12m"
LOCKED_S = 30.0
RECORD_S = 10.0
LOCK = """
import sqlite3, sys, time
lock = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
lock.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(site: FaultSite, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultSite]:
    """The shared site, its node with a small disk of its own."""
    require_namespaces()
    disk = tmp_path_factory.mktemp("disk")
    async with Namespace("mnt") as mounted:
        await mounted.run("mount", "--make-rprivate", "/")
        await mounted.run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk))
        place = replace(site.place, data=disk / "data", disk=mounted, node_prefix=mounted.prefix)
        async with site.node_at(place):
            await have_a_call(site)
            yield site


async def assert_recorded(site: FaultSite, *callers: AnsweringCaller) -> None:
    """Wait until the records of these callers are complete: each turn, and the outcome."""
    wanted = {caller.name for caller in callers}
    async with asyncio.timeout(RECORD_S):
        while wanted:
            for record in await site.records():
                if record.end is not None and record.end.outcome == "told":
                    assert [turn.number for turn in record.turns] == list(range(len(record.turns)))
                    wanted.discard(record.start.ani)
            await asyncio.sleep(0.5)


def disk_of(site: FaultSite) -> Namespace:
    """Return the mount namespace that has the node's data."""
    assert site.place.disk is not None
    return site.place.disk


def fill(disk: Path) -> Path:
    """Write until nothing more goes onto the disk; return the file that has it all."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
                write_for_ever(file, bytes(size))
    return filler


def write_for_ever(file: IO[bytes], octets: bytes) -> NoReturn:
    while True:
        file.write(octets)


@pytest.mark.case("disk full")
async def test_callers_are_served_while_the_disk_is_full(site: FaultSite, case: Case) -> None:
    caller = await case.in_mid_call()
    filler = fill(disk_of(site).path(site.place.data.parent))
    await case.go_on(caller, time.monotonic())
    meanwhile = case.dial()
    await case.end(meanwhile)
    os.unlink(filler)
    afterwards = case.dial()
    await case.end(afterwards)
    await assert_recorded(site, meanwhile, afterwards)


@asynccontextmanager
async def locked(site: FaultSite, seconds: float) -> AsyncIterator[None]:
    """Hold the database's lock in another process for so long; leaving the block waits for it."""
    database = site.place.data / "parley.db"
    process = await asyncio.create_subprocess_exec(
        *disk_of(site).prefix, sys.executable, "-c", LOCK, str(database), str(seconds), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"locked\n"
        yield
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.case("database locked for 30 s")
async def test_callers_are_served_while_the_database_is_locked(site: FaultSite, case: Case) -> None:
    caller = await case.in_mid_call()
    async with locked(site, LOCKED_S):
        await caller.understood(after_s=time.monotonic())
        await case.end(case.dial())
    await case.go_on(caller, time.monotonic())
    await assert_recorded(site, caller)
