"""The node's way to its inference worker: a child of its own, or one that the settings name."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parley.app.metrics import Metrics
from parley.app.settings import Settings, SettingsError
from parley.app.voices import synthesizer_engine
from parley.conversation.errors import EngineUnavailable
from parley.conversation.flow.flow import Flow
from parley.inference.client import open_channel
from parley.inference.worker_process import WorkerProcess

START_S = 60.0
"""Loading the models takes about two seconds on a quiet machine."""
ANSWER_S = 2.0


@asynccontextmanager
async def worker_channel(
    settings: Settings, tasks: asyncio.TaskGroup, metrics: Metrics
) -> AsyncIterator[grpc.aio.Channel]:
    """Give a channel to a worker that works; start one first unless the settings name one.

    Raises SettingsError when there is none.
    """
    if settings.worker.address:
        async with open_channel(settings.worker.address) as channel:
            yield channel
        return
    # A folder of its own, open to this user only; Unix socket paths must be short.
    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        address = f"unix:{Path(folder) / 'worker.sock'}"
        worker = WorkerProcess(_command(settings, address), address, on_restart=metrics.worker_restarted)
        running = tasks.create_task(worker.run(), name="worker")
        try:
            await worker.wait_ready(START_S)
            async with open_channel(address) as channel:
                yield channel
        except EngineUnavailable as err:
            raise SettingsError(f"{err}; the worker's own log lines above say why") from err
        finally:
            running.cancel()
            await asyncio.wait([running])


def _command(settings: Settings, address: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "parley.app.worker",
        f"--address={address}",
        "--child",
        f"--log-level={settings.log.level}",
        *(["--json-lines"] if settings.log.json_lines else []),
    ]


async def worker_problem(channel: grpc.aio.Channel, service: str = "") -> str:
    """Return what is wrong with the worker (or with one of its engines), an empty string when nothing is.

    service: `recognizer/NAME` or `synthesizer/NAME`; empty asks for the worker as a whole.
    """
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=ANSWER_S)
    except grpc.aio.AioRpcError as err:
        if err.code() is grpc.StatusCode.NOT_FOUND:
            return "the worker has no such engine"
        return f"the worker does not answer ({err.code().name})"
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else "the worker is stopping"


async def check_engines(settings: Settings, flows: Mapping[str, Flow], channel: grpc.aio.Channel) -> None:
    """Raise SettingsError when an agent names an engine that the worker does not have."""
    for name, agent in settings.agents.items():
        language = agent.language or flows[name].languages[0]
        wanted = {"recognizer": agent.recognizer, "synthesizer": synthesizer_engine(agent, language)}
        for kind, engine in wanted.items():
            if problem := await worker_problem(channel, f"{kind}/{engine}"):
                raise SettingsError(
                    f"agents.{name}.{kind} = {engine!r}: {problem}; its log lines above say which engines it left out "
                    "and which package each one needs"
                )
