"""The server shell: any objects with the engine ports behind gRPC, on a Unix socket or TCP.

The worker's main makes the engines and calls `serve()`.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parley.conversation.errors import EngineError
from parley.inference import inference_pb2 as pb
from parley.inference import messages
from parley.inference.inference_pb2_grpc import InferenceServicer, add_InferenceServicer_to_server
from parley.inference.registry import Engines
from parley.inference.status import code_of
from parley.inference.streams import closing

logger = logging.getLogger(__name__)

UNIX = "unix:"
CHUNK_BYTES = 16384
"""Speech leaves in pieces of this size (0.5–1 s), so that playing can begin with the first."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

aio_health = importlib.import_module("grpc_health.v1.health").aio  # its type stubs lack `aio`

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker takes on."""

    max_streams: int = 64
    """Streams at once; more are refused at once (the caller sees EngineUnavailable)."""
    max_message_bytes: int = 1 << 20
    max_utterance_s: float = 60.0
    """Audio of one utterance."""


class ProtocolError(Exception):
    """The client's stream breaks the contract of inference.proto."""


class InferenceService(InferenceServicer):
    """The three streams; each call looks its engine up and closes it whatever happens."""

    def __init__(self, engines: Engines, limits: Limits) -> None:
        self._engines = engines
        self._limits = limits

    async def Recognize(
        self, request_iterator: AsyncIterator[pb.RecognizeRequest], context: Context
    ) -> AsyncGenerator[pb.RecognizeResponse]:
        """Recognise one utterance."""
        await context.send_initial_metadata(())
        try:
            first = await anext(request_iterator, None)
            if first is None or first.WhichOneof("message") != "open":
                raise ProtocolError("the first message is not `open`")
            request = messages.recognition_request(first.open)
            audio = self._audio(request_iterator, request.rate_hz)
            recognizer = self._engines.recognizer(request.engine)
            async with closing(recognizer.recognize(request, audio)) as hypotheses:
                async for hypothesis in hypotheses:
                    yield messages.recognize_response(hypothesis)
        except ProtocolError as err:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(err))
        except EngineError as err:
            _log(err)
            yield messages.failure_response(err)
            async for _ in request_iterator:
                pass  # until the client, which may be still sending, has read the failure and cancels

    async def _audio(self, request_iterator: AsyncIterator[pb.RecognizeRequest], rate_hz: int) -> AsyncGenerator[bytes]:
        """Yield the audio up to `end`. Raises ProtocolError, and EngineError if there is too much of it."""
        room = int(self._limits.max_utterance_s * rate_hz) * 2
        async for message in request_iterator:
            kind = message.WhichOneof("message")
            if kind == "end":
                return
            if kind != "audio" or len(message.audio) % 2:
                raise ProtocolError("after `open` come `audio` with whole samples and `end`")
            room -= len(message.audio)
            if room < 0:
                raise EngineError(f"the utterance is longer than {self._limits.max_utterance_s} s")
            yield message.audio
        raise ProtocolError("the stream ended without `end`")

    async def Synthesize(
        self, request: pb.SynthesizeRequest, context: Context
    ) -> AsyncGenerator[pb.SynthesizeResponse]:
        """Speak one sentence."""
        await context.send_initial_metadata(())
        try:
            synthesizer = self._engines.synthesizer(request.engine)
            async with closing(synthesizer.synthesize(messages.speech_request(request))) as chunks:
                async for chunk in chunks:
                    alignment = chunk.alignment
                    for start in range(0, len(chunk.pcm), CHUNK_BYTES):
                        yield messages.synthesize_response(chunk.pcm[start : start + CHUNK_BYTES], alignment)
                        alignment = ()
        except EngineError as err:
            await _abort(context, err)

    async def Complete(self, request: pb.CompleteRequest, context: Context) -> AsyncGenerator[pb.CompleteResponse]:
        """Complete one chat."""
        await context.send_initial_metadata(())
        try:
            model = self._engines.chat_model(request.engine)
            async with closing(model.complete(messages.chat_request(request))) as pieces:
                async for piece in pieces:
                    yield messages.complete_response(piece)
        except EngineError as err:
            await _abort(context, err)


def _log(err: EngineError) -> None:
    logger.warning("an engine failed", extra={"code": err.code, "pii_error": str(err)})


async def _abort(context: Context, err: EngineError) -> None:
    _log(err)
    await context.abort(code_of(err), str(err))


class InferenceServer:
    """A gRPC server with the engines, and the standard health service for the whole and for each of them."""

    def __init__(self, engines: Engines, address: str, limits: Limits | None = None) -> None:
        """Prepare.   address: `unix:PATH` (the socket gets mode 0600) or `host:port`; port 0 picks a free one."""
        limits = limits or Limits()
        self._address = address
        self._services = ["", *engines.services()]
        self._health = aio_health.HealthServicer()
        self._server = grpc.aio.server(
            maximum_concurrent_rpcs=limits.max_streams,
            options=[
                ("grpc.max_receive_message_length", limits.max_message_bytes),
                ("grpc.so_reuseport", 0),
                ("grpc.http2.min_ping_interval_without_data_ms", 5000),
            ],
        )
        add_InferenceServicer_to_server(InferenceService(engines, limits), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    async def start(self) -> str:
        """Listen and return the address in the form that the client takes. Raises OSError."""
        bound = self._bind()
        await self._server.start()
        for service in self._services:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        logger.info("the inference worker is listening", extra={"address": bound, "engines": self._services[1:]})
        return bound

    def _bind(self) -> str:
        path = Path(self._address.removeprefix(UNIX)) if self._address.startswith(UNIX) else None
        before = os.umask(0o177) if path else None
        try:
            if path:
                path.unlink(missing_ok=True)
            port = self._server.add_insecure_port(self._address)
        except RuntimeError as err:
            raise OSError(f"cannot listen on {self._address}: {err}") from err
        finally:
            if before is not None:
                os.umask(before)
        if path:
            path.chmod(0o600)
            return self._address
        return f"{self._address.rpartition(':')[0]}:{port}"

    async def stop(self, grace_s: float = 2.0) -> None:
        """Report NOT_SERVING, refuse new streams and let the running ones end within `grace_s`."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)


async def serve(
    engines: Engines, address: str, limits: Limits | None = None, *, parent_pipe: int | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; with a parent, until that ends, and whatever signals come.

    parent_pipe: a file descriptor that reads end-of-file when the parent is gone (WorkerProcess gives stdin, 0).
    Raises OSError if the address cannot be bound.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if parent_pipe is None:
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop.set)
    else:
        ignore_stop_signals()
        watch_parent(parent_pipe, lambda: loop.call_soon_threadsafe(stop.set))
    server = InferenceServer(engines, address, limits)
    await server.start()
    try:
        await stop.wait()
    finally:
        await server.stop()


def ignore_stop_signals() -> None:
    """Leave SIGTERM and SIGINT to the parent.

    A supervisor that stops the whole group (systemd's KillMode=control-group) means the parent: it has calls to end,
    and needs this worker until it closes the pipe.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def watch_parent(pipe: int, stop: Callable[[], object], *, grace_s: float = 5.0) -> None:
    """Call `stop` when the parent is gone, and leave by force when that takes longer than `grace_s`.

    A thread, so that it works while an engine holds the event loop.
    """

    def wait() -> None:
        while os.read(pipe, 1):
            pass
        stop()
        threading.Event().wait(grace_s)
        os._exit(1)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
