"""A node: everything that `parley serve` runs, put together, started in order and stopped in order.

This is the wiring: the only place that knows which class stands behind which port.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NoReturn

from ari_app.call_control import AriCallControl
from parley.app.call_runner import Services
from parley.app.clock import SystemClock
from parley.app.flows import load_agent_flow
from parley.app.health import Check, HealthServer
from parley.app.metrics import Metrics
from parley.app.observed_call_log import ObservedCallLog
from parley.app.prompt_warmer import warm_prompts
from parley.app.settings import Settings
from parley.app.switchboard import Switchboard
from parley.app.whispers import Whispers
from parley.call_control import PbxUnavailable
from parley.conversation.errors import EngineUnavailable
from parley.inference.client import RemoteRecognizer, RemoteSynthesizer, open_channel
from parley.inference.speech_cache import CachedSynthesizer
from parley.inference.worker_process import WorkerProcess
from parley.store import Database, SqlCallLog, StoreError

logger = logging.getLogger(__name__)

WORKER_START_S = 30.0
RETRY_S = 5.0
"""Between two attempts to reach a PBX that is not there yet (at boot, say)."""


class NodeError(Exception):
    """The node cannot start; the message says what to do."""


async def serve(settings: Settings) -> None:
    """Serve calls until SIGTERM or SIGINT; then drain.

    Raises SettingsError, FlowError, StoreError, CallControlError or NodeError when it cannot start.
    """
    try:
        async with asyncio.TaskGroup() as tasks, _started(settings, tasks) as (control, switchboard):
            stopping = _stop_signal()
            if not await _connect(control, stopping):
                return
            serving = tasks.create_task(switchboard.run(), name="switchboard")
            logger.info("serving calls", extra={"agents": sorted(settings.agents)})
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
            await switchboard.drain(settings.limits.drain_s)
            await control.aclose()
    except ExceptionGroup as group:
        _raise_first(group)


@asynccontextmanager
async def _started(settings: Settings, tasks: asyncio.TaskGroup) -> AsyncIterator[tuple[AriCallControl, Switchboard]]:
    """Start everything but the PBX connection; stop it in reverse on leaving."""
    flows = {name: load_agent_flow(settings, agent) for name, agent in settings.agents.items()}
    asterisk = settings.asterisk
    password = asterisk.read_password()
    metrics = Metrics()
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.database_url)
        stack.push_async_callback(database.aclose)
        sql_log = SqlCallLog(database)
        await _close_abandoned(sql_log, clock)
        address = await _worker_address(settings, tasks, stack, metrics)
        channel = await stack.enter_async_context(open_channel(address))
        synthesizer = CachedSynthesizer(RemoteSynthesizer(channel), settings.speech_cache_dir)
        control = AriCallControl(asterisk.url, asterisk.username, password, asterisk.application)
        stack.push_async_callback(control.aclose)
        switchboard = Switchboard(
            Services(
                settings=settings,
                control=control,
                recognizer=RemoteRecognizer(channel),
                synthesizer=synthesizer,
                flows=flows,
                log=ObservedCallLog(sql_log, metrics),
                metrics=metrics,
                clock=clock,
                whispers=Whispers(settings.whispers_dir, synthesizer),
            )
        )
        await _serve_health(settings, stack, metrics, switchboard, database)
        await warm_prompts(settings, flows, synthesizer)
        yield control, switchboard


async def _close_abandoned(log: SqlCallLog, clock: SystemClock) -> None:
    """Close the records of calls that a killed node left open."""
    abandoned = await log.close_abandoned(clock.time())
    if abandoned:
        logger.warning("records of an earlier run closed", extra={"calls": len(abandoned)})


async def _worker_address(settings: Settings, tasks: asyncio.TaskGroup, stack: AsyncExitStack, metrics: Metrics) -> str:
    """Start our own worker, unless the settings name one, and return its address."""
    if settings.worker.address:
        return settings.worker.address
    # A folder of its own, open to this user only; Unix socket paths must be short.
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-"))
    address = f"unix:{Path(folder) / 'worker.sock'}"
    command = [
        sys.executable,
        "-m",
        "parley.app.worker",
        f"--address={address}",
        "--child",
        f"--log-level={settings.log.level}",
        *(["--json-lines"] if settings.log.json_lines else []),
    ]
    worker = WorkerProcess(command, address)
    running = tasks.create_task(worker.run(), name="worker")
    stack.callback(running.cancel)
    try:
        await worker.wait_ready(WORKER_START_S)
    except EngineUnavailable as err:
        raise NodeError(f"{err}; its own log lines above say why") from err
    return address


async def _serve_health(
    settings: Settings, stack: AsyncExitStack, metrics: Metrics, switchboard: Switchboard, database: Database
) -> None:
    async def database_check() -> str:
        try:
            await database.check_writable()
        except StoreError as err:
            return str(err)
        return ""

    async def pbx_check() -> str:
        return "" if switchboard.pbx_connected else "not connected to the PBX"

    async def draining_check() -> str:
        return "being stopped" if switchboard.draining else ""

    checks: Mapping[str, Check] = {"pbx": pbx_check, "database": database_check, "draining": draining_check}
    health = HealthServer(settings.http.host, settings.http.port, checks=checks, metrics=metrics)
    await health.start()
    stack.push_async_callback(health.aclose)


def _stop_signal() -> asyncio.Task[bool]:
    """Return a task that is done when the process is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return asyncio.create_task(stop.wait(), name="stop signal")


async def _connect(control: AriCallControl, stopping: asyncio.Task[bool]) -> bool:
    """Connect to the PBX, waiting for it if it is not there yet; False when we are told to stop meanwhile.

    Raises PbxRefused at once: a wrong password does not become right by waiting.
    """
    while not stopping.done():
        try:
            await control.start()
        except PbxUnavailable as err:
            logger.warning("the PBX is not there yet", extra={"problem": str(err), "retry_s": RETRY_S})
            await asyncio.wait([stopping], timeout=RETRY_S)
        else:
            return True
    return False


def _raise_first(group: ExceptionGroup[Exception]) -> NoReturn:
    """Raise the first real error of a task group: users get one message."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    raise error from group
