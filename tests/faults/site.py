"""A site to which faults happen: Asterisk, Parley, a caller's phone and two phones in the queue."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import aiohttp

from parley.store import CallRecord
from tests.dialplans.call_centre import CallCentre, open_call_centre
from tests.e2e.site import records_in
from tests.faults.caller import NUMBERS, read_back, words_of
from tests.faults.place import Place
from tests.faults.traces import Traces, children_of, metric_of, traces_of
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.parley_process import LogLine, ParleyFailed, ParleyProcess
from tests.support.speech import caller_says

NUMBERS_LINE = "830"
"""The agent `numbers`: reads numbers back until it is told 9999."""
NAMED_LINE = "831"
"""The same, and the caller has the name that stands in the site's `name_file`."""
NAME_FILE = "caller-name"
LIFE_S = 900
READY_S = 30.0
RECORD_S = 5.0

DIALPLAN = """
[from-trunk](+)
exten => 830,1,Gosub(parley,s,1(agent=numbers))
 same => n,Goto(100,2)
exten => 831,1,Set(CALLERID(name)=${FILE(@NAME@,0,200)})
 same => n,Goto(830,1)
"""

COPY = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))"
"""SQLite itself must be where the file is: it looks for the real path, which leads out of a mount namespace."""


class FaultSite:
    """Everything of one site; `open_site` makes it."""

    def __init__(self, pbx: Asterisk, folder: Path, centre: CallCentre, place: Place, more_settings: str) -> None:
        """folder: for the node's settings and log."""
        self.pbx = pbx
        self.folder = folder
        self.centre = centre
        self.log: list[LogLine] = []
        """The node's, since the case began."""
        self._numbers = count(5550100)
        self._nodes = count(1)
        self._settle_at(place, more_settings)

    def _settle_at(self, place: Place, more_settings: str) -> None:
        """Prepare a node for this place."""
        self.place = place
        self.more_settings = more_settings
        self._node_runs = False
        self.node = ParleyProcess(
            self.pbx,
            self.folder / f"node{next(self._nodes)}",
            self.log.append,
            http_host=place.http_host,
            prefix=place.node_prefix,
            environment={"PARLEY_ASTERISK__AMI__PASSWORD": self.pbx.ami_password, **(place.node_environment or {})},
            life_s=LIFE_S,
        )

    @property
    def name_file(self) -> Path:
        """The caller's name at NAMED_LINE."""
        return self.folder / NAME_FILE

    @asynccontextmanager
    async def node_at(self, place: Place, more_settings: str = "") -> AsyncIterator[None]:
        """Let this site's node run elsewhere, or otherwise, within the block.

        Afterwards `recover()` starts the node that was there before.
        """
        home, home_settings = self.place, self.more_settings
        await self.stop_node()
        self._settle_at(place, more_settings)
        try:
            await self.start_node()
            yield
        finally:
            await self.stop_node()
            self._settle_at(home, home_settings)

    async def start_node(self) -> None:
        """Start Parley and wait until it is ready."""
        await self.node.start(self.place.settings(self.pbx.ami_port, self.more_settings))
        self._node_runs = True

    async def stop_node(self) -> None:
        """Stop Parley as systemd would."""
        self._node_runs = False
        await self.node.stop()

    async def kill_node(self) -> None:
        """Kill Parley as a crash would."""
        self._node_runs = False
        await self.node.kill()

    async def node_is_ready(self) -> None:
        """Wait until /ready says yes. Raises TimeoutError."""
        url = f"http://{self.place.http_host}:{self.node.http_port}/ready"
        async with asyncio.timeout(READY_S), aiohttp.ClientSession() as http:
            while True:
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.1)

    def worker_pid(self) -> int:
        """Return the process id of the node's inference worker."""
        [pid] = children_of(self.node.pid)
        return pid

    async def recover(self) -> None:
        """Bring back what a case has left broken, so that the next one is about its own fault only."""
        if not await self._pbx_answers():
            await self.pbx.kill()
            await self.pbx.restart()
        try:
            self._node_runs = self.node.pid > 0
        except ParleyFailed:
            await self.stop_node()
            await self.start_node()
        await self.node_is_ready()

    async def records(self) -> list[CallRecord]:
        """Return the records of all calls, oldest first.

        A record is ended a moment after its call, later on a busy machine; one that was left behind never is.
        """
        deadline_s = time.monotonic() + RECORD_S
        while True:
            found = await self._records()
            if all(record.end for record in found) or time.monotonic() > deadline_s:
                return found
            await asyncio.sleep(0.2)

    async def _records(self) -> list[CallRecord]:
        database = self.place.data / "parley.db"
        if self.place.disk is None:
            return await records_in(database)
        copy = self.folder / "copy.db"
        copy.unlink(missing_ok=True)
        await self.place.disk.run(sys.executable, "-c", COPY, str(database), str(copy))
        return await records_in(copy)

    async def metric(self, name: str, **labels: str) -> float:
        """Ask the node for one of its metrics. Raises KeyError."""
        return await metric_of(self.node, name, **labels)

    async def traces(self) -> Traces:
        """Count what is open now."""
        return await traces_of(self.pbx, self.node if self._node_runs else None)

    def fresh_number(self) -> str:
        """Return a number that no caller of this site has called from."""
        return f"+1{next(self._numbers)}"

    async def _pbx_answers(self) -> bool:
        try:
            await self.pbx.cli("core show version")
        except (RuntimeError, TimeoutError):
            return False
        return True


@asynccontextmanager
async def open_site(folder: Path, place: Place, more_settings: str = "") -> AsyncIterator[FaultSite]:
    """Start Asterisk, Parley and the phones."""
    say_everything_once()
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(
            Asterisk(
                program=require_asterisk(),
                additions={"extensions.conf": DIALPLAN.replace("@NAME@", str(folder / NAME_FILE))},
                ari_host=place.ari_host,
                ami_host=place.ami_host,
                life_s=LIFE_S,
                keep_log_in=folder / "asterisk",
            )
        )
        centre = await stack.enter_async_context(open_call_centre(pbx))
        site = FaultSite(pbx, folder, centre, place, more_settings)
        stack.push_async_callback(site.stop_node)
        await site.start_node()
        yield site


def say_everything_once() -> None:
    """Make the words of callers and judges before anything is timed."""
    for number in NUMBERS:
        caller_says(words_of(number))
        read_back(number)
