"""One Asterisk for all contract tests of a module, and for each test its bench and the events of it.

A module that brings its own `bench` (another PBX, a fake) has the last word.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.contract.asterisk_bench import AsteriskBench, asterisk_bench, contract_asterisk
from tests.contract.benches import EventLog, listening
from tests.support.asterisk import Asterisk, require_asterisk


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def asterisk() -> AsyncIterator[Asterisk]:
    """Start a private Asterisk, or skip saying why there is none."""
    require_asterisk()
    async with contract_asterisk() as pbx:
        yield pbx


@pytest_asyncio.fixture(loop_scope="module")
async def bench(asterisk: Asterisk) -> AsyncIterator[AsteriskBench]:
    """Phones and an adapter at the module's Asterisk."""
    async with asterisk_bench(asterisk) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def log(bench: AsteriskBench) -> AsyncIterator[EventLog]:
    """What the bench's adapter tells."""
    async with listening(bench.control) as collecting:
        yield collecting
