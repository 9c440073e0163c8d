"""What answers at the worker's socket answers nonsense, from the middle of a sentence on."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.case import Case, have_a_call
from tests.faults.site import FaultSite
from tests.faults.test_worker import in_mid_sentence
from tests.support.parley_process import ROOT

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]

NONSENSE_S = 5.0
START_S = 30.0


class Relay:
    """Passes octets between the node and a worker, until it is told to answer nonsense instead."""

    def __init__(self, socket: Path, worker: Path) -> None:
        """socket: where the node finds it.   worker: the socket of the worker itself."""
        self.socket = socket
        self.nonsense = False
        self.answers = 0
        """Pieces of nonsense."""
        self._worker = worker
        self._chance = random.Random(7)
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection."""
        with suppress(OSError):
            from_worker, to_worker = await asyncio.open_unix_connection(str(self._worker))
            self._writers |= {writer, to_worker}
            await asyncio.gather(self._pass(reader, to_worker, False), self._pass(from_worker, writer, True))
        writer.close()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
        with suppress(OSError):
            while octets := await source.read(65536):
                if self.nonsense and answers:
                    self.answers += 1
                    octets = self._chance.randbytes(len(octets))
                sink.write(octets)
                await sink.drain()
        sink.close()
        self._writers.discard(sink)

    def close(self) -> None:
        """Break all connections."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def worker_at(socket: Path) -> AsyncIterator[None]:
    """Run an inference worker that no node watches over."""
    command = (sys.executable, "-m", "parley.app.worker", f"--address=unix:{socket}")
    process = await asyncio.create_subprocess_exec("setpriv", "--pdeathsig", "KILL", *command, cwd=ROOT)
    try:
        async with asyncio.timeout(START_S):
            while not socket.exists():
                await asyncio.sleep(0.1)
        yield
    finally:
        process.terminate()
        await process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    """A worker, and the relay that the node takes for it."""
    folder = tmp_path_factory.mktemp("relay")
    relay = Relay(folder / "relay.sock", folder / "worker.sock")
    async with worker_at(folder / "worker.sock"):
        server = await asyncio.start_unix_server(relay.serve, str(relay.socket))
        yield relay
        server.close()
        relay.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(site: FaultSite, relay: Relay) -> AsyncIterator[FaultSite]:
    """The shared site, its node with a worker that is not its own."""
    async with site.node_at(site.place, f'\n[worker]\naddress = "unix:{relay.socket}"\n'):
        await have_a_call(site)
        yield site


@pytest.mark.case("worker answers nonsense in mid-sentence")
async def test_worker_answers_nonsense_in_mid_sentence(case: Case, relay: Relay) -> None:
    caller = await in_mid_sentence(case)
    relay.nonsense = True
    await asyncio.sleep(NONSENSE_S)
    relay.nonsense = False
    assert relay.answers
    await case.go_on(caller, time.monotonic())
