"""Types of the asyncio face of the generated stubs (protoc makes none); kept by hand beside inference.proto."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from parley.inference import inference_pb2 as pb

class InferenceStub:
    Recognize: grpc.aio.StreamStreamMultiCallable[pb.RecognizeRequest, pb.RecognizeResponse]
    Synthesize: grpc.aio.UnaryStreamMultiCallable[pb.SynthesizeRequest, pb.SynthesizeResponse]
    Complete: grpc.aio.UnaryStreamMultiCallable[pb.CompleteRequest, pb.CompleteResponse]
    def __init__(self, channel: grpc.aio.Channel) -> None: ...

class InferenceServicer:
    def Recognize(
        self, request_iterator: AsyncIterator[pb.RecognizeRequest], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.RecognizeResponse]: ...
    def Synthesize(
        self, request: pb.SynthesizeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.SynthesizeResponse]: ...
    def Complete(
        self, request: pb.CompleteRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.CompleteResponse]: ...

def add_InferenceServicer_to_server(servicer: InferenceServicer, server: grpc.aio.Server) -> None: ...
