"""Port values to protobuf messages and back; pure functions, used by client and server."""

from __future__ import annotations

from collections.abc import Iterable

from grpc import StatusCode

from parley.conversation import ports
from parley.conversation.errors import EngineError
from parley.inference import inference_pb2 as pb
from parley.inference.status import code_of, error_of

_CODES = {code.value[0]: code for code in StatusCode}


def open_utterance(request: ports.RecognitionRequest) -> pb.RecognizeRequest:
    """Pack the first message of an utterance."""
    return pb.RecognizeRequest(
        open=pb.OpenUtterance(
            rate_hz=request.rate_hz, language=request.language, engine=request.engine, grammar=request.grammar
        )
    )


def recognition_request(message: pb.OpenUtterance) -> ports.RecognitionRequest:
    """Unpack what to listen for."""
    return ports.RecognitionRequest(
        language=message.language, rate_hz=message.rate_hz, engine=message.engine, grammar=message.grammar
    )


def recognize_response(hypothesis: ports.Hypothesis) -> pb.RecognizeResponse:
    """Pack a partial or the final."""
    words = [
        pb.Word(text=word.text, start_ms=word.start_ms, end_ms=word.end_ms, confidence=word.confidence)
        for word in hypothesis.words
    ]
    if not hypothesis.final:
        return pb.RecognizeResponse(partial=pb.Partial(text=hypothesis.text, words=words))
    return pb.RecognizeResponse(
        final=pb.Final(
            text=hypothesis.text, confidence=hypothesis.confidence, rejected=hypothesis.rejected, words=words
        )
    )


def failure_response(error: EngineError) -> pb.RecognizeResponse:
    """Pack why there will be no final."""
    return pb.RecognizeResponse(failure=pb.Failure(code=code_of(error).value[0], details=str(error)))


def hypothesis(response: pb.RecognizeResponse) -> ports.Hypothesis:
    """Unpack a partial or the final. Raises the EngineError that a failure stands for."""
    if response.WhichOneof("message") == "failure":
        raise error_of(_CODES.get(response.failure.code, StatusCode.UNKNOWN), response.failure.details)
    if response.WhichOneof("message") == "final":
        final = response.final
        return ports.Hypothesis(
            text=final.text,
            final=True,
            confidence=final.confidence,
            rejected=final.rejected,
            words=_words(final.words),
        )
    return ports.Hypothesis(text=response.partial.text, final=False, words=_words(response.partial.words))


def _words(words: Iterable[pb.Word]) -> tuple[ports.Word, ...]:
    return tuple(ports.Word(word.text, word.start_ms, word.end_ms, word.confidence) for word in words)


def synthesize_request(request: ports.SpeechRequest) -> pb.SynthesizeRequest:
    """Pack a sentence to be spoken."""
    return pb.SynthesizeRequest(
        text=request.text,
        language=request.language,
        voice=request.voice,
        rate_hz=request.rate_hz,
        engine=request.engine,
    )


def speech_request(message: pb.SynthesizeRequest) -> ports.SpeechRequest:
    """Unpack a sentence to be spoken."""
    return ports.SpeechRequest(
        text=message.text,
        language=message.language,
        voice=message.voice,
        rate_hz=message.rate_hz,
        engine=message.engine,
    )


def synthesize_response(pcm: bytes, alignment: Iterable[ports.WordTime] = ()) -> pb.SynthesizeResponse:
    """Pack a piece of spoken audio."""
    return pb.SynthesizeResponse(
        pcm=pcm,
        alignment=[
            pb.WordTime(text=word.text, start_samples=word.start_samples, end_samples=word.end_samples)
            for word in alignment
        ],
    )


def speech_chunk(response: pb.SynthesizeResponse) -> ports.SpeechChunk:
    """Unpack a piece of spoken audio."""
    return ports.SpeechChunk(
        pcm=response.pcm,
        alignment=tuple(ports.WordTime(word.text, word.start_samples, word.end_samples) for word in response.alignment),
    )


def complete_request(request: ports.ChatRequest) -> pb.CompleteRequest:
    """Pack a completion to be made."""
    return pb.CompleteRequest(
        messages=[
            pb.ChatMessage(
                role=message.role,
                content=message.content,
                tool_calls=[_packed_call(call) for call in message.tool_calls],
                call_id=message.call_id,
            )
            for message in request.messages
        ],
        engine=request.engine,
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        json_schema=request.json_schema,
        grammar=request.grammar,
        tools=[
            pb.Tool(name=tool.name, description=tool.description, parameters=tool.parameters) for tool in request.tools
        ],
    )


def chat_request(message: pb.CompleteRequest) -> ports.ChatRequest:
    """Unpack a completion to be made."""
    return ports.ChatRequest(
        messages=tuple(
            ports.ChatMessage(
                chat.role, chat.content, tuple(_unpacked_call(call) for call in chat.tool_calls), chat.call_id
            )
            for chat in message.messages
        ),
        engine=message.engine,
        max_tokens=message.max_tokens,
        temperature=message.temperature,
        json_schema=message.json_schema,
        grammar=message.grammar,
        tools=tuple(ports.Tool(tool.name, tool.description, tool.parameters) for tool in message.tools),
    )


def complete_response(piece: ports.TextDelta | ports.ToolCall | ports.ChatUsage) -> pb.CompleteResponse:
    """Pack a piece of a reply."""
    match piece:
        case ports.TextDelta(text):
            return pb.CompleteResponse(text=text)
        case ports.ToolCall() as call:
            return pb.CompleteResponse(tool_call=_packed_call(call))
        case ports.ChatUsage(prompt_tokens, completion_tokens):
            return pb.CompleteResponse(usage=pb.Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens))


def chat_piece(response: pb.CompleteResponse) -> ports.TextDelta | ports.ToolCall | ports.ChatUsage:
    """Unpack a piece of a reply."""
    match response.WhichOneof("message"):
        case "tool_call":
            return _unpacked_call(response.tool_call)
        case "usage":
            return ports.ChatUsage(response.usage.prompt_tokens, response.usage.completion_tokens)
        case _:
            return ports.TextDelta(response.text)


def _packed_call(call: ports.ToolCall) -> pb.ToolCall:
    return pb.ToolCall(name=call.name, arguments=call.arguments, call_id=call.call_id)


def _unpacked_call(call: pb.ToolCall) -> ports.ToolCall:
    return ports.ToolCall(call.name, call.arguments, call.call_id)
