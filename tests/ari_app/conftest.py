"""An ARI server in this process, an adapter connected to it, and what the adapter tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ari_app import AriCallControl
from ari_app.backoff import Backoff
from tests.ari_app.ari_server import PASSWORD, USERNAME, AriServer, ari_server
from tests.contract.benches import EventLog, until

Connect = Callable[..., AriCallControl]


async def asked(ari: AriServer, pattern: str, count: int = 1) -> bool:
    """Wait until the server has been asked this so many times."""

    async def now() -> bool:
        return len(ari.asked(pattern)) >= count

    return await until(now)


@pytest.fixture
async def ari() -> AsyncIterator[AriServer]:
    async with ari_server() as server:
        yield server


@pytest.fixture
async def connect(ari: AriServer) -> AsyncIterator[Connect]:
    """Make adapters that reconnect and retry at once; all are closed at the end."""
    made: list[AriCallControl] = []

    def make(
        *,
        password: str = PASSWORD,
        deadline_s: float = 2.0,
        dead_man_s: float = 0.0,
        retake_s: float = 60.0,
        transfers_by_us: bool | None = None,
        login_check_s: float = 60.0,
    ) -> AriCallControl:
        control = AriCallControl(
            ari.url,
            USERNAME,
            password,
            deadline_s=deadline_s,
            dead_man_s=dead_man_s,
            retry_waits_s=(0.0, 0.0),
            backoff=Backoff(first_s=0.001, cap_s=0.001),
            retake=Backoff(first_s=retake_s, cap_s=retake_s),
            transfers_by_us=transfers_by_us,
            login_check_s=login_check_s,
        )
        made.append(control)
        return control

    yield make
    for control in made:
        await control.aclose()


@pytest.fixture
async def control(connect: Connect) -> AriCallControl:
    started = connect()
    await started.start()
    return started


@asynccontextmanager
async def recorded(control: AriCallControl) -> AsyncIterator[EventLog]:
    """Collect what the adapter tells."""
    log = EventLog(control)
    collecting = asyncio.create_task(log.run())
    try:
        yield log
    finally:
        collecting.cancel()
        await asyncio.wait([collecting])


@pytest.fixture
async def log(control: AriCallControl) -> AsyncIterator[EventLog]:
    async with recorded(control) as log:
        yield log
