"""A chat as one prompt, for models inside the worker; tools as a form that the reply must have.

How a model writes tool calls differs from model to model. Here every model writes the same: JSON of a schema that is
made from the tools, either `{"say": …}` or `{"tool": …, "arguments": …}`; a grammar sees to it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from parley.conversation.errors import EngineError
from parley.conversation.ports import ChatMessage, ChatRequest, TextDelta, Tool, ToolCall
from parley.engines.control_marks import RESULT, RESULT_ENDS, Neutralizer
from parley.engines.openai_protocol import Json, json_object, tool_json, without_marks

SAY, TOOL, ARGUMENTS = "say", "tool", "arguments"
HOW_TO_USE_TOOLS = (
    f'Answer with JSON: {{"{SAY}": "…"}} to speak, or {{"{TOOL}": "NAME", "{ARGUMENTS}": {{…}}}} to use a tool. '
    f"What a tool returns stands between {RESULT} and {RESULT_ENDS}. The tools: "
)


def plain_messages(request: ChatRequest, neutralizer: Neutralizer) -> list[Json]:
    """Return roles and contents that every chat template knows: tool calls and their results become text."""
    messages = [_plain(without_marks(message, neutralizer)) for message in request.messages]
    if request.tools:
        tools = json.dumps([tool_json(tool)["function"] for tool in request.tools])
        described = HOW_TO_USE_TOOLS + neutralizer.clean(tools)
        if messages and messages[0].role == "system":
            messages[0] = replace(messages[0], content=f"{messages[0].content}\n\n{described}")
        else:
            messages.insert(0, ChatMessage("system", described))
    return [{"role": message.role, "content": message.content} for message in messages]


def _plain(message: ChatMessage) -> ChatMessage:
    if message.tool_calls:
        calls = (
            f'{{"{TOOL}": {json.dumps(call.name)}, "{ARGUMENTS}": {call.arguments}}}' for call in message.tool_calls
        )
        return ChatMessage("assistant", "\n".join(filter(None, [message.content, *calls])))
    if message.role == "tool":
        # A form that no user can write: `without_marks()` takes it out of what everybody says.
        return ChatMessage("user", f"{RESULT}{message.content}{RESULT_ENDS}")
    return message


def tools_schema(tools: Sequence[Tool]) -> str:
    """Return the JSON schema of a reply that may be a tool call. Raises EngineError for parameters without one."""
    forms: list[Json] = [_object({SAY: {"type": "string"}})]
    for tool in tools:
        parameters = json_object(tool.parameters, f"the parameters of the tool {tool.name!r}")
        forms.append(_object({TOOL: {"const": tool.name}, ARGUMENTS: parameters}))
    return json.dumps({"oneOf": forms})


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def read_tool_reply(text: str) -> TextDelta | ToolCall:
    """Return what a reply of `tools_schema()` says. Raises EngineError for one that was cut off."""
    reply = json_object(text, "the reply")
    if TOOL in reply:
        return ToolCall(str(reply[TOOL]), json.dumps(reply.get(ARGUMENTS) or {}, ensure_ascii=False))
    if SAY not in reply:
        raise EngineError("the reply neither says something nor uses a tool")
    return TextDelta(str(reply[SAY]))
