"""The engine ports, satisfied by a worker at the other end of a gRPC channel.

`app` makes one channel per worker address and these three objects on it; a conversation knows only the ports.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc
import grpc.aio

from parley.conversation.errors import EngineError, EngineTimeout, EngineUnavailable
from parley.conversation.ports import (
    ChatRequest,
    ChatUsage,
    Hypothesis,
    RecognitionRequest,
    SpeechChunk,
    SpeechRequest,
    TextDelta,
    ToolCall,
)
from parley.inference import inference_pb2 as pb
from parley.inference import messages
from parley.inference.inference_pb2_grpc import InferenceStub
from parley.inference.status import error_of
from parley.inference.streams import closing

Response_co = TypeVar("Response_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the client waits, in seconds; past them it raises EngineTimeout and cancels the stream."""

    accepted_s: float = 1.0
    """Until the worker has taken a stream on."""
    final_s: float = 2.0
    """From the end of the audio to the final hypothesis."""
    utterance_s: float = 90.0
    """A whole utterance."""
    first_speech_s: float = 2.0
    """From a sentence to its first audio."""
    speech_s: float = 20.0
    """A whole sentence."""
    first_text_s: float = 5.0
    """From a chat to the first piece of the reply."""
    reply_s: float = 30.0
    """A whole reply."""


def open_channel(address: str) -> grpc.aio.Channel:
    """Open a channel to a worker: `unix:PATH`, `host:port`, or `ipv4:a:1,b:1` for several, used in turn.

    It reconnects by itself within a second of the worker's return; while the worker is away calls fail at once.
    """
    return grpc.aio.insecure_channel(
        address,
        options=[
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.keepalive_time_ms", 20000),
            ("grpc.keepalive_timeout_ms", 5000),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.service_config", '{"loadBalancingConfig":[{"round_robin":{}}]}'),
        ],
    )


class RemoteRecognizer:
    """Recognizer on a worker."""

    def __init__(self, channel: grpc.aio.Channel, deadlines: Deadlines | None = None) -> None:
        self._stub = InferenceStub(channel)
        self._deadlines = deadlines or Deadlines()

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncGenerator[Hypothesis]:
        """Yield partials, then the final. Raises EngineError; what `audio` raises comes out unchanged."""
        utterance = _OutgoingUtterance(request, audio, self._deadlines.final_s)
        call = self._stub.Recognize(utterance.requests(), timeout=self._deadlines.utterance_s)
        utterance.call = call
        final = False
        try:
            await _accepted(call, self._deadlines.accepted_s)
            async for response in call:
                hypothesis = messages.hypothesis(response)
                final = hypothesis.final
                yield hypothesis
        except grpc.aio.AioRpcError as err:
            if err.code() is grpc.StatusCode.INTERNAL:  # engines fail by message; this is the library's, when sending
                raise EngineUnavailable("the worker broke the utterance off") from err
            raise error_of(err.code(), err.details()) from err
        except asyncio.CancelledError:
            if utterance.error is None:
                raise
            raise utterance.error from None
        finally:
            utterance.close()
            call.cancel()
        if not final:
            raise EngineError("the recogniser ended without a final hypothesis")


class _OutgoingUtterance:
    """The requests of one utterance, and the deadline that starts to run when the audio has ended."""

    def __init__(self, request: RecognitionRequest, audio: AsyncIterator[bytes], final_s: float) -> None:
        self._request = request
        self._audio = audio
        self._final_s = final_s
        self._timer: asyncio.TimerHandle | None = None
        self.call: _Call[pb.RecognizeResponse] | None = None
        self.error: BaseException | None = None
        """Why we cancelled the call ourselves."""

    async def requests(self) -> AsyncGenerator[pb.RecognizeRequest]:
        """Yield open, audio, end."""
        yield messages.open_utterance(self._request)
        try:
            async for block in self._audio:
                yield pb.RecognizeRequest(audio=block)
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as err:  # the audio's own error belongs to its owner: gRPC would only log it
            self._cancel(err)
            raise
        yield pb.RecognizeRequest(end=pb.EndUtterance())
        overdue = EngineTimeout(f"no final hypothesis {self._final_s} s after the end of the utterance")
        self._timer = asyncio.get_running_loop().call_later(self._final_s, self._cancel, overdue)

    def _cancel(self, error: BaseException) -> None:
        self.error = error
        if self.call is not None:
            self.call.cancel()

    def close(self) -> None:
        """Stop the deadline."""
        if self._timer is not None:
            self._timer.cancel()


class RemoteSynthesizer:
    """Synthesizer on a worker."""

    def __init__(self, channel: grpc.aio.Channel, deadlines: Deadlines | None = None) -> None:
        self._stub = InferenceStub(channel)
        self._deadlines = deadlines or Deadlines()

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
        """Yield the sentence's audio. Raises EngineError."""
        call = self._stub.Synthesize(messages.synthesize_request(request), timeout=self._deadlines.speech_s)
        async with closing(_responses(call, self._deadlines.accepted_s, self._deadlines.first_speech_s)) as chunks:
            async for response in chunks:
                yield messages.speech_chunk(response)


class RemoteChatModel:
    """ChatModel on a worker."""

    def __init__(self, channel: grpc.aio.Channel, deadlines: Deadlines | None = None) -> None:
        self._stub = InferenceStub(channel)
        self._deadlines = deadlines or Deadlines()

    async def complete(self, request: ChatRequest) -> AsyncGenerator[TextDelta | ToolCall | ChatUsage]:
        """Yield the reply as it is made. Raises EngineError."""
        call = self._stub.Complete(messages.complete_request(request), timeout=self._deadlines.reply_s)
        async with closing(_responses(call, self._deadlines.accepted_s, self._deadlines.first_text_s)) as pieces:
            async for response in pieces:
                yield messages.chat_piece(response)


class _Call(Protocol[Response_co]):
    """What is used of a gRPC stream."""

    def __aiter__(self) -> AsyncIterator[Response_co]: ...

    def cancel(self) -> bool: ...

    async def initial_metadata(self) -> object: ...


async def _responses(call: _Call[Response_co], accepted_s: float, first_s: float) -> AsyncGenerator[Response_co]:
    """Yield the responses of a call within its deadlines; cancel it on the way out."""
    try:
        await _accepted(call, accepted_s)
        stream = aiter(call)
        try:
            async with asyncio.timeout(first_s):
                first = await anext(stream, None)
        except TimeoutError as err:
            raise EngineTimeout(f"the engine gave nothing within {first_s} s") from err
        if first is not None:
            yield first
        async for response in stream:
            yield response
    except grpc.aio.AioRpcError as err:
        raise error_of(err.code(), err.details()) from err
    finally:
        call.cancel()


async def _accepted(call: _Call[Response_co], accepted_s: float) -> None:
    """Wait until the worker has taken the stream on: a stopped or wedged worker is found here, not at the end."""
    try:
        async with asyncio.timeout(accepted_s):
            await call.initial_metadata()
    except TimeoutError as err:
        raise EngineUnavailable(f"the worker did not take the stream on within {accepted_s} s") from err
