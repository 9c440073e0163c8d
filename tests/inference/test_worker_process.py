"""The worker's life, with a real process that is really killed and stopped."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest
import pytest_asyncio

from parley.conversation.errors import EngineError, EngineUnavailable
from parley.conversation.ports import RecognitionRequest, SpeechRequest
from parley.inference.client import Deadlines, RemoteRecognizer, RemoteSynthesizer, open_channel
from parley.inference.worker_process import Watch, WorkerProcess
from tests.contract.synthesizer_contract import chunks_of

HELLO = SpeechRequest("hello", "en", "", 8000)
HANG = SpeechRequest("hang", "en", "", 8000)
WATCH = Watch(interval_s=0.05, answer_s=0.3, misses=2, stop_s=2.0)
PATIENCE_S = 20.0


def command(address: str) -> list[str]:
    """Return the command of a fake worker."""
    return [sys.executable, "-m", "tests.inference.fake_worker", address]


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/worker.sock"


@pytest_asyncio.fixture
async def worker(address: str) -> AsyncIterator[WorkerProcess]:
    """Start a worker that is ready, and see it gone afterwards."""
    worker = WorkerProcess(command(address), address, WATCH)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        await worker.wait_ready(PATIENCE_S)
        yield worker
        running.cancel()
    assert worker.pid is None
    assert not worker.ready


@pytest_asyncio.fixture
async def channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    async with open_channel(address) as channel:
        yield channel


def signal_to(worker: WorkerProcess, number: signal.Signals) -> int:
    """Send the worker a signal and return its process id."""
    pid = worker.pid
    assert pid is not None
    os.kill(pid, number)
    return pid


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until_restarted(worker: WorkerProcess) -> None:
    """Wait until a second worker is ready."""
    async with asyncio.timeout(PATIENCE_S):
        while worker.starts < 2 or not worker.ready:
            await asyncio.sleep(0.01)


async def test_killed_worker_is_restarted_and_the_same_client_works_again(
    worker: WorkerProcess, channel: grpc.aio.Channel
) -> None:
    synthesizer = RemoteSynthesizer(channel)
    assert await chunks_of(synthesizer, HELLO)
    signal_to(worker, signal.SIGKILL)
    await until_restarted(worker)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                assert await chunks_of(synthesizer, HELLO)
                return
            except EngineUnavailable:
                await asyncio.sleep(0.02)


async def test_stream_of_a_killed_worker_and_calls_during_the_restart_are_unavailable_quickly(
    worker: WorkerProcess, channel: grpc.aio.Channel
) -> None:
    synthesizer = RemoteSynthesizer(channel)
    speaking = synthesizer.synthesize(HANG)
    await anext(speaking)
    signal_to(worker, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(EngineUnavailable):
        await anext(speaking)
    with pytest.raises(EngineUnavailable):
        await chunks_of(synthesizer, HELLO)
    assert time.monotonic() - began < 1.0
    await until_restarted(worker)


async def test_utterance_of_a_killed_worker_is_unavailable_while_the_caller_goes_on_speaking(
    worker: WorkerProcess, channel: grpc.aio.Channel
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"\0\0" * 800
            await asyncio.sleep(0.001)

    hearing = RemoteRecognizer(channel).recognize(RecognitionRequest("en", 8000), endless())
    assert (await anext(hearing)).text == "1"
    signal_to(worker, signal.SIGKILL)
    async with asyncio.timeout(2):
        with pytest.raises(EngineUnavailable):
            async for _ in hearing:
                pass


async def test_stopped_worker_is_noticed_killed_and_replaced(worker: WorkerProcess, channel: grpc.aio.Channel) -> None:
    synthesizer = RemoteSynthesizer(channel, Deadlines(accepted_s=0.2))
    assert await chunks_of(synthesizer, HELLO)
    stopped = signal_to(worker, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(EngineError) as failure:
        await chunks_of(synthesizer, HELLO)
    assert failure.value.retryable
    assert time.monotonic() - began < 1.0
    await until_restarted(worker)
    assert not is_running(stopped)


async def test_worker_that_dies_at_once_is_tried_again_with_back_off_and_is_never_ready(address: str) -> None:
    worker = WorkerProcess([sys.executable, "-c", "raise SystemExit(3)"], address, Watch(backoff_s=0.05))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        with pytest.raises(EngineUnavailable, match="not ready"):
            await worker.wait_ready(1.0)
        running.cancel()
    assert 2 <= worker.starts <= 6


async def test_worker_that_never_becomes_healthy_is_replaced(address: str) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(30)"]
    worker = WorkerProcess(sleeper, address, Watch(start_s=0.2, backoff_s=0.05, stop_s=0.05))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        async with asyncio.timeout(PATIENCE_S):
            while worker.starts < 2:
                await asyncio.sleep(0.01)
        running.cancel()
    assert worker.pid is None


async def test_command_that_cannot_be_run_fails_the_start(address: str) -> None:
    with pytest.raises(OSError, match="nonexistent"):
        await WorkerProcess(["/nonexistent/worker"], address).run()


async def test_stop_signals_are_for_the_parent_and_the_worker_serves_on(
    worker: WorkerProcess, channel: grpc.aio.Channel
) -> None:
    synthesizer = RemoteSynthesizer(channel)
    for number in (signal.SIGINT, signal.SIGTERM):
        pid = signal_to(worker, number)
        for _ in range(3):
            assert await chunks_of(synthesizer, HELLO)
    assert is_running(pid)
    assert worker.starts == 1


async def test_worker_has_a_session_of_its_own_which_the_terminals_signals_do_not_reach(worker: WorkerProcess) -> None:
    pid = worker.pid
    assert pid is not None
    assert os.getsid(pid) == pid


async def test_worker_is_stopped_by_the_end_of_its_standard_input(address: str, tmp_path: Path) -> None:
    began, ended = tmp_path / "began", tmp_path / "ended"
    script = f"import pathlib, sys; pathlib.Path({str(began)!r}).touch(); sys.stdin.read(); "
    script += f"pathlib.Path({str(ended)!r}).touch()"
    worker = WorkerProcess([sys.executable, "-c", script], address, Watch(stop_s=PATIENCE_S))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        async with asyncio.timeout(PATIENCE_S):
            while not began.exists():
                await asyncio.sleep(0.01)
        running.cancel()
    assert ended.exists()


async def test_each_start_after_the_first_is_told(address: str) -> None:
    restarts: list[str] = []
    dies = [sys.executable, "-c", "raise SystemExit(3)"]
    worker = WorkerProcess(dies, address, Watch(backoff_s=0.01), on_restart=lambda: restarts.append("again"))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        async with asyncio.timeout(PATIENCE_S):
            while worker.starts < 3:
                await asyncio.sleep(0.01)
        running.cancel()
    assert len(restarts) == worker.starts - 1


async def test_command_that_is_missing_for_a_while_at_a_restart_is_tried_again(address: str, tmp_path: Path) -> None:
    script, away = tmp_path / "worker", tmp_path / "away"
    script.write_text(f"#!/bin/sh\nexec {shlex.join(command(address))}\n")
    script.chmod(0o700)
    worker = WorkerProcess([str(script)], address, WATCH)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        await worker.wait_ready(PATIENCE_S)
        script.rename(away)
        signal_to(worker, signal.SIGKILL)
        while worker.ready:
            await asyncio.sleep(0.01)
        await asyncio.sleep(3 * WATCH.backoff_s)
        assert not running.done()
        assert worker.starts == 1
        away.rename(script)
        await until_restarted(worker)
        running.cancel()


async def test_worker_ends_when_its_parent_is_gone(address: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", PARENT, address, *command(address)], stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        child = int(await parent.stdout.readline())
        assert is_running(child)
        parent.kill()
        await parent.wait()
        while is_running(child):
            await asyncio.sleep(0.01)


PARENT = """
import asyncio, sys
from parley.inference.worker_process import WorkerProcess

async def main() -> None:
    worker = WorkerProcess(sys.argv[2:], sys.argv[1])
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        await worker.wait_ready(20)
        print(worker.pid, flush=True)

asyncio.run(main())
"""
