"""Errors of the conversation and of the engines behind its ports.

    ConversationError
    ├── FlowError             the author's: a call script that does not load (names file, line and fix)
    └── EngineError           the other side: a speech or language engine
        ├── EngineMissing     not installed, or its model is not there; the message says how to get it
        ├── EngineTimeout     no answer within the deadline (retryable)
        └── EngineUnavailable the worker is gone or overloaded (retryable)
"""

from __future__ import annotations


class ConversationError(Exception):
    """Root of everything that the conversation package raises."""

    code = "conversation"
    retryable = False


class FlowError(ConversationError):
    """A call script is malformed. `str()` has one line per problem: `file:line: what; what to do`."""

    code = "flow"


class EngineError(ConversationError):
    """An engine failed; engine adapters and the inference client raise this family and no other."""

    code = "engine"


class EngineMissing(EngineError):
    """The engine's package, binary or model is not on this machine."""

    code = "engine_missing"


class EngineTimeout(EngineError):
    """The engine did not answer within its deadline."""

    code = "engine_timeout"
    retryable = True


class EngineUnavailable(EngineError):
    """The engine's process is gone, restarting, or has no room."""

    code = "engine_unavailable"
    retryable = True
