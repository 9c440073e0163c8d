"""A node: everything that `parley serve` runs, put together, started in order and stopped in order.

This is the wiring: the only place that knows which class stands behind which port.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NoReturn

from ari_app.ami import AmiClient
from ari_app.call_control import AriCallControl
from parley.app.call_runner import Services
from parley.app.clock import SystemClock
from parley.app.data_lock import data_lock
from parley.app.flows import load_flows
from parley.app.health import Check, HealthServer
from parley.app.metrics import Metrics
from parley.app.observed_call_log import ObservedCallLog
from parley.app.own_worker import check_engines, worker_channel
from parley.app.prompt_warmer import warm_prompts
from parley.app.readiness import started_checks, still_starting
from parley.app.settings import AmiSettings, Settings
from parley.app.switchboard import Switchboard
from parley.app.whispers import Whispers
from parley.call_control import PbxUnavailable
from parley.inference.client import RemoteRecognizer, RemoteSynthesizer
from parley.inference.speech_cache import CachedSynthesizer
from parley.store import Database, SqlCallLog

logger = logging.getLogger(__name__)

WORKER_START_S = 30.0
RETRY_S = 5.0
"""Between two attempts to reach a PBX that is not there yet (at boot, say)."""


async def serve(settings: Settings) -> None:
    """Serve calls until SIGTERM or SIGINT; then drain.

    Raises SettingsError, FlowError, StoreError, or CallControlError when it cannot start.
    """
    stopping = _stop_signal()
    serving = asyncio.Event()
    running = asyncio.create_task(_run(settings, stopping, serving), name="node")
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not serving.is_set():
        # Told to stop while still starting: there is no call to wait for.
        running.cancel()
    await asyncio.wait([running])
    stopping.cancel()
    if not running.cancelled():
        running.result()


async def _run(settings: Settings, stopping: asyncio.Task[bool], serving: asyncio.Event) -> None:
    """Start, serve until `stopping` is done, drain, stop; sets `serving` as soon as there may be calls."""
    try:
        async with asyncio.TaskGroup() as tasks, _started(settings, tasks) as (control, switchboard):
            await _connect(control)
            serving.set()
            board = tasks.create_task(switchboard.run(), name="switchboard")
            logger.info("serving calls", extra={"agents": sorted(settings.agents)})
            await asyncio.wait([board, stopping], return_when=asyncio.FIRST_COMPLETED)
            await switchboard.drain(settings.limits.drain_s)
            await control.aclose()
    except ExceptionGroup as group:
        _raise_first(group)


@asynccontextmanager
async def _started(settings: Settings, tasks: asyncio.TaskGroup) -> AsyncIterator[tuple[AriCallControl, Switchboard]]:
    """Start everything but the PBX connection; stop it in reverse on leaving."""
    flows = load_flows(settings)
    asterisk = settings.asterisk
    password = asterisk.read_password()
    metrics = Metrics()
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        checks: dict[str, Check] = {"started": still_starting}
        await _serve_health(settings, stack, metrics, checks)
        stack.enter_context(data_lock(settings.data_dir))
        database = await Database.open(settings.database_url)
        stack.push_async_callback(database.aclose)
        sql_log = SqlCallLog(database)
        await _close_abandoned(sql_log, clock)
        channel = await stack.enter_async_context(worker_channel(settings, tasks, metrics))
        await check_engines(settings, flows, channel)
        synthesizer = CachedSynthesizer(RemoteSynthesizer(channel), settings.speech_cache_dir)
        ami = _running_ami(asterisk.ami, stack, tasks, metrics)
        control = AriCallControl(asterisk.url, asterisk.username, password, asterisk.application, ami=ami)
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
        await warm_prompts(settings, flows, synthesizer)
        checks |= started_checks(switchboard, database, channel)
        yield control, switchboard


def _running_ami(
    settings: AmiSettings, stack: AsyncExitStack, tasks: asyncio.TaskGroup, metrics: Metrics
) -> AmiClient | None:
    """Return a client that connects by itself and is closed with the stack; None where the site has not set AMI up."""
    if not settings.enabled:
        return None
    ami = AmiClient(settings.host, settings.port, settings.username, settings.read_password())
    ami.watch(metrics.ami_connected)
    tasks.create_task(ami.run(), name="ami")
    stack.push_async_callback(ami.aclose)
    return ami


async def _close_abandoned(log: SqlCallLog, clock: SystemClock) -> None:
    """Close the records of calls that a killed node left open."""
    abandoned = await log.close_abandoned(clock.time())
    if abandoned:
        logger.warning("records of an earlier run closed", extra={"calls": len(abandoned)})


async def _serve_health(
    settings: Settings, stack: AsyncExitStack, metrics: Metrics, checks: Mapping[str, Check]
) -> None:
    """Listen before anything else: a second node, started by mistake, must not get as far as the first one's records.

    checks: may change later.
    """
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


async def _connect(control: AriCallControl) -> None:
    """Connect to the PBX, waiting for it if it is not there yet.

    Raises PbxRefused at once: a wrong password does not become right by waiting.
    """
    while True:
        try:
            return await control.start()
        except PbxUnavailable as err:
            logger.warning("the PBX is not there yet", extra={"problem": str(err), "retry_s": RETRY_S})
            await asyncio.sleep(RETRY_S)


def _raise_first(group: ExceptionGroup[Exception]) -> NoReturn:
    """Raise the first real error of a task group: users get one message."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    raise error from group
