"""The server shell: sockets, limits, protocol, health, shutdown."""

from __future__ import annotations

import asyncio
import signal
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parley.conversation.errors import EngineError, EngineUnavailable
from parley.conversation.ports import RecognitionRequest, SpeechRequest
from parley.inference import inference_pb2 as pb
from parley.inference.client import RemoteRecognizer, RemoteSynthesizer, open_channel
from parley.inference.inference_pb2_grpc import InferenceStub
from parley.inference.registry import Engines
from parley.inference.server import CHUNK_BYTES, InferenceServer, Limits
from tests.contract.recognizer_contract import hypotheses_of
from tests.contract.synthesizer_contract import chunks_of
from tests.fakes.recognizer import FakeRecognizer, Hears
from tests.fakes.synthesizer import FakeSynthesizer
from tests.inference.worker_bench import served

SENTENCE = SpeechRequest("good morning", "en", "", 8000)
OPEN = pb.RecognizeRequest(open=pb.OpenUtterance(rate_hz=8000, language="en"))
AUDIO = pb.RecognizeRequest(audio=b"\0\0" * 800)


async def test_unix_socket_is_the_users_own_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "worker.sock"
    path.touch()
    async with served(Engines(synthesizers={"fake": FakeSynthesizer()}), f"unix:{path}") as channel:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await chunks_of(RemoteSynthesizer(channel), SENTENCE)


async def test_address_that_cannot_be_had_is_an_os_error() -> None:
    with pytest.raises(OSError, match="cannot listen"):
        await InferenceServer(Engines(), "unix:/nonexistent/folder/worker.sock").start()


async def test_streams_beyond_the_limit_are_refused_at_once() -> None:
    engine = FakeSynthesizer(hangs=True)
    async with served(Engines(synthesizers={"fake": engine}), limits=Limits(max_streams=1)) as channel:
        synthesizer = RemoteSynthesizer(channel)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(chunks_of(synthesizer, SENTENCE))
            while not engine.open:
                await asyncio.sleep(0.005)
            with pytest.raises(EngineUnavailable):
                await chunks_of(synthesizer, SENTENCE)
            first.cancel()


async def test_long_speech_leaves_in_pieces() -> None:
    engine = FakeSynthesizer(ms_per_word=4000)
    async with served(Engines(synthesizers={"fake": engine})) as channel:
        chunks = await chunks_of(RemoteSynthesizer(channel), SENTENCE)
    assert sum(len(chunk.pcm) for chunk in chunks) == 2 * 4 * 8000 * 2
    assert max(len(chunk.pcm) for chunk in chunks) == CHUNK_BYTES


async def test_utterance_beyond_the_limit_is_refused_and_frees_the_engine() -> None:
    engine = FakeRecognizer("yes")
    async with served(Engines(recognizers={"fake": engine}), limits=Limits(max_utterance_s=0.5)) as channel:
        with pytest.raises(EngineError, match="longer than"):
            await hypotheses_of(RemoteRecognizer(channel), RecognitionRequest("en", 8000), b"\0\0" * 8000)
        assert engine.open == 0


@pytest.mark.parametrize(
    ("requests", "complaint"),
    [
        ((), "not `open`"),
        ((AUDIO,), "not `open`"),
        ((OPEN, OPEN), "whole samples"),
        ((OPEN, pb.RecognizeRequest(audio=b"\0")), "whole samples"),
        ((OPEN, AUDIO), "without `end`"),
    ],
)
async def test_stream_that_breaks_the_contract_is_an_invalid_argument(
    requests: tuple[pb.RecognizeRequest, ...], complaint: str
) -> None:
    async with served(Engines(recognizers={"fake": FakeRecognizer("yes")})) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await _send(channel, *requests)
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert complaint in str(refusal.value.details())


async def test_health_is_told_for_the_whole_and_for_each_engine() -> None:
    async with served(Engines(recognizers={"fake": FakeRecognizer()})) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "recognizer/fake"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await health.Check(health_pb2.HealthCheckRequest(service="recognizer/whisper"))
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


async def test_stopping_lets_a_running_utterance_end() -> None:
    go_on = asyncio.Event()

    async def audio() -> AsyncIterator[bytes]:
        yield b"\0\0" * 80
        await go_on.wait()

    server = InferenceServer(
        Engines(recognizers={"fake": FakeRecognizer(Hears("yes", partials=("y",)))}), "127.0.0.1:0"
    )
    async with open_channel(await server.start()) as channel:
        hearing = RemoteRecognizer(channel).recognize(RecognitionRequest("en", 8000), audio())
        assert (await anext(hearing)).text == "y"
        async with asyncio.TaskGroup() as group:
            group.create_task(server.stop(grace_s=5))
            await asyncio.sleep(0)
            go_on.set()
            assert [heard.text async for heard in hearing] == ["yes"]
        with pytest.raises(EngineUnavailable):
            await hypotheses_of(RemoteRecognizer(channel), RecognitionRequest("en", 8000), b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_worker_without_a_parent_ends_at_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    address = f"unix:{tmp_path}/worker.sock"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, address)
    try:
        async with open_channel(address) as channel, asyncio.timeout(20):
            health = health_pb2_grpc.HealthStub(channel)
            await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            process.send_signal(number)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


SERVE = """
import asyncio, sys
from parley.inference.registry import Engines
from parley.inference.server import serve

asyncio.run(serve(Engines(), sys.argv[1]))
"""


async def _send(channel: grpc.aio.Channel, *requests: pb.RecognizeRequest) -> None:
    async def messages() -> AsyncIterator[pb.RecognizeRequest]:
        for request in requests:
            yield request

    async for _ in InferenceStub(channel).Recognize(messages(), timeout=5):
        pass
