"""The worker's main as a child: models first, then healthy; it ends when its standard input does."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parley.app.engine_settings import EngineSettings, OpenaiSettings
from parley.app.exit_status import CANNOT_WORK
from parley.inference.client import open_channel

PATIENCE_S = 30.0


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/worker.sock"


@asynccontextmanager
async def child(*python: str, stderr: int | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker, and see it gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *python, stdin=asyncio.subprocess.PIPE, stderr=stderr
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def health(address: str, *, wait: bool, service: str = "") -> int:
    """Return what the worker says of itself, or of an engine."""
    async with open_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        answer = await stub.Check(request, wait_for_ready=wait, timeout=PATIENCE_S)
    return int(answer.status)


def send_stop_signals(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)


async def test_child_heeds_no_stop_signals_and_ends_with_its_standard_input(address: str) -> None:
    async with child("-m", "parley.app.worker", f"--address={address}", "--child") as process:
        assert await health(address, wait=True) == health_pb2.HealthCheckResponse.SERVING
        send_stop_signals(process)
        assert await health(address, wait=False) == health_pb2.HealthCheckResponse.SERVING
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0


async def test_worker_is_healthy_when_its_models_are_loaded_and_heeds_no_stop_signals_before(
    address: str, tmp_path: Path
) -> None:
    loading, go_on = tmp_path / "loading", tmp_path / "go on"
    async with child("-c", LOADS, str(loading), str(go_on), f"--address={address}", "--child") as process:
        async with asyncio.timeout(PATIENCE_S):
            while not loading.exists():
                await asyncio.sleep(0.01)
        send_stop_signals(process)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await health(address, wait=False)
        assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
        go_on.touch()
        assert await health(address, wait=True) == health_pb2.HealthCheckResponse.SERVING


async def test_engine_whose_model_is_not_there_is_left_out_with_what_to_do(address: str, tmp_path: Path) -> None:
    engines = json.dumps({"faster_whisper": {"model": str(tmp_path / "absent")}})
    arguments = ("-m", "parley.app.worker", f"--address={address}", "--child", "--json-lines", f"--engines={engines}")
    async with child(*arguments, stderr=asyncio.subprocess.PIPE) as process:
        assert await health(address, wait=True) == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await health(address, wait=False, service="recognizer/faster-whisper")
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
        assert process.stdin is not None
        process.stdin.close()
        _, said = await process.communicate()
    [line] = [json.loads(line) for line in said.splitlines() if b"engine left out" in line]
    assert line["engine"] == "faster-whisper"
    assert "parley models list" in line["problem"] or "pip install" in line["problem"]


async def test_worker_elsewhere_whose_settings_are_wrong_says_so_and_ends(address: str, tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text("[engines.faster_whisper]\nmodels = 1\n")
    arguments = ("-m", "parley.app.worker", f"--address={address}", f"--config={tmp_path / 'parley.toml'}")
    async with child(*arguments, stderr=asyncio.subprocess.PIPE) as process:
        _, said = await process.communicate()
    assert process.returncode == 2
    assert b"did you mean 'model'" in said


async def test_engines_come_from_the_node_that_starts_the_worker_or_from_a_file_of_its_own(
    address: str, tmp_path: Path
) -> None:
    file = tmp_path / "parley.toml"
    file.write_text('[engines.openai]\nurl = "http://127.0.0.1:9/v1"\n[agents.unread]\n')
    node = EngineSettings(openai=OpenaiSettings(url="http://127.0.0.1:9/v1"))
    for told in (f"--config={file}", f"--engines={node.for_worker()}"):
        async with child("-m", "parley.app.worker", f"--address={address}", "--child", told) as process:
            service = "chat_model/openai"
            assert await health(address, wait=True, service=service) == health_pb2.HealthCheckResponse.SERVING
            assert process.stdin is not None
            process.stdin.close()
            async with asyncio.timeout(PATIENCE_S):
                assert await process.wait() == 0


async def test_worker_whose_settings_are_wrong_does_not_start(address: str, tmp_path: Path) -> None:
    file = tmp_path / "parley.toml"
    file.write_text("[engines.openai]\n")
    async with child("-m", "parley.app.worker", f"--address={address}", f"--config={file}") as process:
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == CANNOT_WORK


LOADS = """
import asyncio, pathlib, sys
from parley.app import worker
from parley.engines import catalogue

loading, go_on = pathlib.Path(sys.argv.pop(1)), pathlib.Path(sys.argv.pop(1))

class Loads:
    async def warm_up(self):
        loading.touch()
        while not go_on.exists():
            await asyncio.sleep(0.01)

catalogue.RECOGNIZERS = {"loads": Loads}
sys.exit(worker.main())
"""
