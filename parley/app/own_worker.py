"""The node's way to its inference worker: a child of its own, or one that the settings name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parley.app.child_process import worker_command
from parley.app.metrics import Metrics
from parley.app.run_folder import run_folder
from parley.app.settings import Settings
from parley.app.settings_tables import NotYet, SettingsError
from parley.app.voices import synthesizer_engine
from parley.conversation.errors import EngineUnavailable
from parley.conversation.flow.flow import Flow
from parley.inference.client import open_channel
from parley.inference.load_time import START_S
from parley.inference.worker_process import WorkerProcess

ANSWER_S = 2.0
LOOK_AGAIN_S = 0.2
NO_SUCH_ENGINE = "the worker has no such engine"


class Worker:
    """A worker that is there, or is about to be."""

    def __init__(self, channel: grpc.aio.Channel, own: WorkerProcess | None = None) -> None:
        """own: the process, where this node has started it."""
        self.channel = channel
        self._own = own

    async def wait_ready(self) -> None:
        """Return when it answers. Raises NotYet when it does not within START_S."""
        try:
            if self._own is not None:
                return await self._own.wait_ready(START_S)
            async with asyncio.timeout(START_S):
                problem = await worker_problem(self.channel)
                while problem:
                    await asyncio.sleep(LOOK_AGAIN_S)
                    problem = await worker_problem(self.channel)
        except EngineUnavailable as err:
            raise NotYet(f"{err}; the worker's own log lines above say why") from err
        except TimeoutError as err:
            raise NotYet(
                f"the inference worker at worker.address does not answer after {START_S:g} s: start it, or correct "
                "the address"
            ) from err

    async def ready_within(self, timeout_s: float) -> None:
        """Return when it answers, or after this time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.wait_ready()


@asynccontextmanager
async def open_worker(settings: Settings, tasks: asyncio.TaskGroup, metrics: Metrics) -> AsyncIterator[Worker]:
    """Give a worker without waiting for it: one that the settings name, else one that is started here."""
    if settings.worker.address:
        async with open_channel(settings.worker.address) as channel:
            yield Worker(channel)
        return
    with run_folder() as folder:
        address = f"unix:{folder / 'worker.sock'}"
        process = WorkerProcess(worker_command(settings, address), address, on_restart=metrics.worker_restarted)
        running = tasks.create_task(process.run(), name="worker")
        try:
            async with open_channel(address) as channel:
                yield Worker(channel, process)
        finally:
            running.cancel()
            await asyncio.wait([running])


async def worker_problem(channel: grpc.aio.Channel, service: str = "") -> str:
    """Return what is wrong with the worker (or with one of its engines), an empty string when nothing is.

    service: `recognizer/NAME` or `synthesizer/NAME`; empty asks for the worker as a whole.
    """
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=ANSWER_S)
    except grpc.aio.AioRpcError as err:
        if err.code() is grpc.StatusCode.NOT_FOUND:
            return NO_SUCH_ENGINE
        return f"the worker does not answer ({err.code().name})"
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else "the worker is stopping"


async def check_engines(settings: Settings, flows: Mapping[str, Flow], channel: grpc.aio.Channel) -> None:
    """Raise SettingsError when an agent names an engine that the worker does not have, NotYet when it does not say."""
    for name, agent in settings.agents.items():
        language = agent.language or flows[name].languages[0]
        wanted = {"recognizer": agent.recognizer, "synthesizer": synthesizer_engine(agent, language)}
        for kind, engine in wanted.items():
            if problem := await worker_problem(channel, f"{kind}/{engine}"):
                error = SettingsError if problem == NO_SUCH_ENGINE else NotYet
                raise error(
                    f"agents.{name}.{kind} = {engine!r}: {problem}; its log lines above say which engines it left out "
                    "and which package each one needs"
                )
