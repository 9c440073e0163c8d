"""A node: everything that `parley serve` runs, put together, started in order and stopped in order.

This is the wiring: the only place that knows which class stands behind which port.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NoReturn

from ari_app.ami import AmiClient
from ari_app.audiosocket_calls import AudioSocketCallControl
from ari_app.call_control import AriCallControl
from audio_fork.audiosocket_server import AudioSocketServer
from parley.app.audio_lines import AudioLines, AudioSocketLines, audio_lines
from parley.app.call_controls import CallControls
from parley.app.call_runner import Services
from parley.app.clock import SystemClock
from parley.app.closing_deadline import CLOSE_WITHIN_S, ClosingDeadline
from parley.app.data_lock import data_lock
from parley.app.dialplan_arrivals import DialplanArrivals
from parley.app.dialplan_door import DialplanDoor
from parley.app.flows import load_flows
from parley.app.health import Check, HealthServer
from parley.app.logs import lost_lines
from parley.app.metrics import Metrics
from parley.app.notify import Notifier
from parley.app.observed_call_log import ObservedCallLog
from parley.app.open_files import allow_open_files
from parley.app.own_worker import check_engines, open_worker
from parley.app.patient_call_log import PatientCallLog, committed
from parley.app.prompt_warmer import warm_prompts
from parley.app.readiness import started_checks, still_starting
from parley.app.resume import FoundCall, ResumedCall, claim_calls, give_back, prepare
from parley.app.settings import Settings
from parley.app.settings_tables import AmiSettings
from parley.app.stop_signals import StopSignals
from parley.app.switchboard import HAND_OVER_S, Switchboard
from parley.app.voice_detection import voice_detector
from parley.app.voices import engine_versions
from parley.app.whispers import Whispers
from parley.call_control import CallControl, CallControlError, PbxUnavailable
from parley.inference.client import RemoteRecognizer, RemoteSynthesizer
from parley.inference.speech_cache import CachedSynthesizer
from parley.store import Database, InterruptedCall, SqlCallLog

logger = logging.getLogger(__name__)

RETRY_S = 5.0
"""Between two attempts to reach a PBX that is not there yet (at boot, say)."""
RESUME_WITHOUT_WORKER_S = 3.0
"""Callers of a dead process wait no longer for a worker that starts as well: cached prompts and keys need none."""


async def serve(settings: Settings) -> None:
    """Serve calls until told to stop; then drain, and close within CLOSE_WITHIN_S, or else end the process.

    Raises SettingsError, FlowError, StoreError, AudioForkError, EngineStartError, or CallControlError when it cannot
    start.
    """
    closing = ClosingDeadline()
    # From the signal on: giving up what goes on, a start for one, may hang as closing may.
    signals = StopSignals(partial(closing.begin, settings.limits.drain_s + HAND_OVER_S + CLOSE_WITHIN_S))
    notifier = Notifier()
    try:
        async with notifier.beating(), asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
            node = Node(settings, notifier)
            try:
                # Told to stop while still starting, there is no call to wait for.
                if await signals.until_stopping(node.start(tasks, stack)):
                    await node.serve(tasks, signals, closing)
            finally:
                closing.begin()
    except ExceptionGroup as group:
        _raise_first(group)


class Node:
    """One node: `start`, then `serve`."""

    def __init__(self, settings: Settings, notifier: Notifier) -> None:
        """Prepare; nothing is opened yet.   notifier: is told when new calls are taken."""
        self._settings = settings
        self._notifier = notifier
        self._name = settings.asterisk.application
        self._clock = SystemClock()
        self._metrics = Metrics()
        self._checks: dict[str, Check] = {"started": still_starting}
        self._door = DialplanDoor(settings.asterisk.audiosocket_app.peers, self._metrics.call_refused)
        self._resumed: Sequence[ResumedCall] = ()

    async def start(self, tasks: asyncio.TaskGroup, stack: AsyncExitStack) -> None:
        """Open and connect everything. The callers of a dead process of this node are claimed before anything slow.

        stack: closes all of it, in reverse.
        """
        settings = self._settings
        allow_open_files(settings)
        asterisk = settings.asterisk
        password, tls = asterisk.read_password(), asterisk.read_tls()
        # Listening comes first: a second process, started by mistake, must not get as far as the first one's records.
        await _serve_health(settings, stack, self._metrics, self._checks, self._door)
        stack.enter_context(data_lock(settings.data_dir, self._name))
        self._database = await Database.open(settings.database_url)
        stack.push_async_callback(self._database.aclose)
        self._log = SqlCallLog(self._database)
        interrupted = await self._log.interrupted(self._name)
        ami = _ami(asterisk.ami, stack, self._metrics)
        lines = await stack.enter_async_context(
            audio_lines(settings.media, tls, self._metrics.audiosocket_refused, calls=settings.limits.max_calls)
        )
        self._metrics.watch_engines(lines.engines)
        stack.callback(self._metrics.watch_engines, ())
        self._ari = AriCallControl(
            *(asterisk.url, asterisk.username, password, asterisk.application),
            ami=ami,
            tls=tls,
            transfers_by_us=asterisk.transfers_by_us,
        )
        self._control, arrivals = await self._ways_in(stack, tasks, ami, lines)
        if ami is not None:  # not before all listen
            stack.callback(tasks.create_task(ami.run(), name="ami").cancel)
        stack.push_async_callback(self._control.aclose)
        self._metrics.watch_pbx_events(self._ari.event_counts)
        connected = await self._connect_at_once()
        found = await self._claim(interrupted, stack) if connected else []
        self._worker = await stack.enter_async_context(open_worker(settings, tasks, self._metrics))
        flows = await asyncio.to_thread(load_flows, settings)
        if not connected:
            await self._connect()
            found = await self._claim(interrupted, stack)
        self._resumed = await asyncio.to_thread(prepare, found, settings, flows)
        channel = self._worker.channel
        versions = await asyncio.to_thread(engine_versions, settings.engines)
        self._synthesizer = CachedSynthesizer(
            RemoteSynthesizer(channel), settings.speech_cache_dir, engine_versions=versions
        )
        self._metrics.watch_dropped("speech_cache", lambda: self._synthesizer.refused)
        self._metrics.watch_speech_cache(lambda: self._synthesizer.memory_used)
        self._metrics.watch_dropped("log_lines", lost_lines)
        self._services = Services(
            settings=settings,
            control=self._control,
            lines=lines,
            recognizer=RemoteRecognizer(channel),
            synthesizer=self._synthesizer,
            flows=flows,
            log=ObservedCallLog(PatientCallLog(self._log, self._metrics), self._metrics, settings.latency.p95_ms),
            metrics=self._metrics,
            clock=self._clock,
            whispers=Whispers(settings.whispers_dir, self._synthesizer),
            voice_detector=stack.enter_context(voice_detector(settings, self._metrics)),
            arrivals=arrivals,
        )
        self._switchboard = Switchboard(self._services)
        if arrivals is not None:
            arrivals.open(self._switchboard.refusal_of)
            self._door.open(arrivals)

    async def serve(self, tasks: asyncio.TaskGroup, signals: StopSignals, closing: ClosingDeadline) -> None:
        """Let the found calls go on, take new ones when all is ready, drain when told to stop. Raises as `serve`.

        closing: begun when the last call is over.
        """
        if self._resumed:
            await self._worker.ready_within(RESUME_WITHOUT_WORKER_S)
        switchboard = tasks.create_task(self._switchboard.run(self._resumed), name="switchboard")
        try:
            if await signals.until_stopping(self._open()):
                await signals.until_stopping(signals.retiring.wait())
                if not signals.stopping.is_set():
                    await signals.until_stopping(self._switchboard.retire(), self._settings.limits.retire_s)
        finally:
            await self._switchboard.drain(self._settings.limits.drain_s)
            closing.begin()
            await self._control.aclose()
            # Before the database is closed: the last calls' records are being completed.
            await asyncio.wait([switchboard])

    async def _open(self) -> None:
        """Wait for what new calls need, then take them. Raises SettingsError."""
        flows, channel = self._services.flows, self._worker.channel
        alive = [call.start.call_id for call in self._resumed]
        close = partial(self._log.close_abandoned, self._clock.time(), self._name, alive)
        abandoned = await committed(close, self._metrics, "records of an earlier run not closed yet")
        if abandoned:
            logger.warning("records of an earlier run closed", extra={"calls": len(abandoned)})
        await self._worker.wait_ready()
        await check_engines(self._settings, flows, channel)
        await warm_prompts(self._settings, flows, self._synthesizer)
        self._checks |= started_checks(self._switchboard, self._database, channel)
        self._switchboard.open()
        self._notifier.ready = True
        logger.info("serving calls", extra={"agents": sorted(self._settings.agents)})

    async def _ways_in(
        self, stack: AsyncExitStack, tasks: asyncio.TaskGroup, ami: AmiClient | None, lines: AudioLines
    ) -> tuple[CallControl, DialplanArrivals | None]:
        """Return ARI's legs, with those of AudioSocket() where the site has switched that on. Raises NoFreePort."""
        if ami is None or not self._settings.asterisk.audiosocket_app.enabled:
            return self._ari, None
        by_app = AudioSocketCallControl(ami)
        stack.callback(tasks.create_task(by_app.run(), name="legs in AudioSocket()").cancel)
        arrivals = DialplanArrivals(
            by_app,
            await self._audiosocket_server(stack, lines),
            ready=lambda: ami.connected,
            on_refused=self._metrics.call_refused,
            spawn=tasks.create_task,
        )
        return CallControls(self._ari, by_app), arrivals

    async def _audiosocket_server(self, stack: AsyncExitStack, lines: AudioLines) -> AudioSocketServer:
        """Return the port for AudioSocket connections: that of all calls, or one for AudioSocket() alone."""
        if isinstance(lines, AudioSocketLines):
            return lines.server
        server = AudioSocketServer(lines.engines, on_refused=self._metrics.audiosocket_refused)
        await server.listen(self._settings.media.host, self._settings.media.audiosocket_port)
        stack.push_async_callback(server.aclose)
        return server

    async def _claim(self, interrupted: Sequence[InterruptedCall], stack: AsyncExitStack) -> list[FoundCall]:
        try:
            found = await claim_calls(self._control, interrupted)
        except CallControlError as err:
            logger.warning("interrupted calls could not be claimed", extra={"code": err.code})
            return []
        # On the way out, whatever happens: the timers of claimed legs would let callers wait for nothing.
        stack.push_async_callback(give_back, self._control, found)
        return found

    async def _connect_at_once(self) -> bool:
        """Connect to the PBX if it is there. Raises PbxRefused: a wrong password does not become right by waiting."""
        try:
            await self._ari.start()
        except PbxUnavailable as err:
            logger.warning("the PBX is not there yet", extra={"problem": str(err), "retry_s": RETRY_S})
            return False
        return True

    async def _connect(self) -> None:
        """Connect to a PBX that was not there, waiting for it. Raises PbxRefused."""
        connected = False
        while not connected:
            await asyncio.sleep(RETRY_S)
            connected = await self._connect_at_once()


def _ami(settings: AmiSettings, stack: AsyncExitStack, metrics: Metrics) -> AmiClient | None:
    """Return a client that does not run yet and is closed with the stack; None where the site has not set AMI up."""
    if not settings.enabled:
        return None
    ami = AmiClient(settings.host, settings.port, settings.username, settings.read_password())
    ami.watch(metrics.ami_connected)
    stack.push_async_callback(ami.aclose)
    return ami


async def _serve_health(
    settings: Settings, stack: AsyncExitStack, metrics: Metrics, checks: Mapping[str, Check], door: DialplanDoor
) -> None:
    """Listen. checks: may change later."""
    routes = [door.route] if settings.asterisk.audiosocket_app.enabled else []
    health = HealthServer(settings.http.host, settings.http.port, checks=checks, metrics=metrics, routes=routes)
    await health.start()
    stack.push_async_callback(health.aclose)


def _raise_first(group: ExceptionGroup[Exception]) -> NoReturn:
    """Raise the first real error of a task group: users get one message."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    raise error from group
