"""OpenAI's chat protocol, as far as it is spoken to servers here: requests to JSON, octets of a reply to its pieces.

Pure: `openai_chat_model` does the sending and receiving.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from parley.conversation.errors import EngineError
from parley.conversation.ports import ChatMessage, ChatRequest, ChatUsage, TextDelta, Tool, ToolCall
from parley.engines.control_marks import Neutralizer

MAX_LINE_BYTES = 1_000_000
MOST_TOKENS = (1 << 32) - 1
"""Of a reply, by inference.proto."""
DONE = "[DONE]"
NEUTRALIZER = Neutralizer()
"""llama.cpp's server for one reads marks wherever they stand; those of its model are not known here."""

Piece = TextDelta | ToolCall | ChatUsage
Json = dict[str, Any]


def body(request: ChatRequest, model: str) -> Json:
    """Return the JSON of a streamed completion. Raises EngineError where a schema of the request is no JSON object."""
    fields: Json = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
    }
    if request.json_schema:
        schema = json_object(request.json_schema, "json_schema")
        fields["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "strict": True, "schema": schema},
        }
    if request.grammar:
        fields["grammar"] = request.grammar
    if request.tools:
        fields["tools"] = [tool_json(tool) for tool in request.tools]
    return fields


def tool_json(tool: Tool) -> Json:
    """Return a tool as the protocol describes it. Raises EngineError."""
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": json_object(tool.parameters, f"the parameters of the tool {tool.name!r}"),
    }
    return {"type": "function", "function": function}


def json_object(text: str, whose: str) -> Json:
    """Return a JSON object. Raises EngineError, which names whose text it was and not the text."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as err:  # the latter of thousands of brackets
        raise EngineError(f"{whose} is not JSON") from err
    if not isinstance(read, dict):
        raise EngineError(f"{whose} is not a JSON object")
    return read


def without_marks(message: ChatMessage, neutralizer: Neutralizer) -> ChatMessage:
    """Return a message without marks, in what tools were given as well. Raises EngineError where that is no JSON."""
    calls = tuple(
        replace(call, name=neutralizer.clean(call.name), arguments=neutralizer.clean(_unescaped(call.arguments)))
        for call in message.tool_calls
    )
    return replace(message, content=neutralizer.clean(message.content), tool_calls=calls)


def _unescaped(arguments: str) -> str:
    """Return what a tool was given as the chat template will write it, where an escaped mark is a mark again."""
    plain = json.dumps(json_object(arguments, "what a tool was given"), ensure_ascii=False)
    return plain.encode(errors="replace").decode()  # half a surrogate pair is no text


def _message(message: ChatMessage) -> Json:
    message = without_marks(message, NEUTRALIZER)
    fields: Json = {"role": message.role, "content": message.content}
    if message.tool_calls:
        fields["tool_calls"] = [
            {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.call_id:
        fields["tool_call_id"] = message.call_id
    return fields


def _tokens(value: Any) -> int:
    """Return a number of tokens as the worker can pass it on. Raises TypeError, ValueError, OverflowError."""
    tokens = int(value)
    if not 0 <= tokens <= MOST_TOKENS:
        raise ValueError("no number of tokens")
    return tokens


class ReplyReader:
    """Reads the server-sent events of one reply, however the network cuts them."""

    def __init__(self) -> None:
        self._line = b""
        self._calls: dict[int, ToolCall] = {}
        self._usage = ChatUsage(0, 0)
        self.begun = False
        """Whether something of the reply has come."""
        self.ended = False
        """Whether the server said that the reply is over."""
        self.cut_off = False
        """Whether it stopped because of `max_tokens`."""

    def feed(self, octets: bytes) -> Iterator[TextDelta]:
        """Yield the text that comes with these octets. Raises EngineError for what is not the protocol."""
        *lines, self._line = (self._line + octets).split(b"\n")
        if len(self._line) > MAX_LINE_BYTES:
            raise EngineError("the language model's server sends lines without end")
        for line in lines:
            yield from self._read(line.strip())

    def finish(self) -> Iterator[ToolCall | ChatUsage]:
        """Yield what is known only at the end: tool calls, then usage. Raises EngineError for half a tool call."""
        for _, call in sorted(self._calls.items()):
            json_object(call.arguments or "{}", "what the model gives a tool")
            yield ToolCall(call.name, call.arguments or "{}", call.call_id)
        yield self._usage

    def _read(self, line: bytes) -> Iterator[TextDelta]:
        field, _, value = line.partition(b":")
        if field == b"error":  # llama-server's own way
            raise EngineError("the language model's server failed in the middle of the reply")
        if field != b"data":
            return
        data = value.strip().decode(errors="replace")
        if data == DONE:
            self.ended = True
            return
        event = json_object(data, "an event of the language model's server")
        if "error" in event:
            raise EngineError("the language model's server failed in the middle of the reply")
        try:
            yield from self._take(event)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as err:
            raise EngineError("an event of the language model's server is not OpenAI's protocol") from err

    def _take(self, event: Json) -> Iterator[TextDelta]:
        if usage := event.get("usage"):
            self._usage = ChatUsage(_tokens(usage["prompt_tokens"]), _tokens(usage.get("completion_tokens") or 0))
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            for part in delta.get("tool_calls") or ():
                self._add(part)
            if text := delta.get("content"):
                self.begun = True
                yield TextDelta(str(text))
            if reason := choice.get("finish_reason"):
                self.ended = True
                self.cut_off = reason == "length"

    def _add(self, part: Json) -> None:
        """Add a part of a tool call to what has come of it before."""
        function = part.get("function") or {}
        index = int(part.get("index") or 0)
        self.begun = True
        so_far = self._calls.get(index, ToolCall("", ""))
        self._calls[index] = ToolCall(
            so_far.name or str(function.get("name") or ""),
            so_far.arguments + str(function.get("arguments") or ""),
            so_far.call_id or str(part.get("id") or ""),
        )
