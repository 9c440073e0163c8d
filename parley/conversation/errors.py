"""Errors of the conversation and of the engines behind its ports.

ConversationError
├── FlowError             the author's: a call script that does not load (names file, line and fix)
├── PromptError           the author's: a recorded prompt that cannot be played
├── IllegalTransition     our own misuse: a call session was told something its state does not allow
├── CannotResume          a call that another process held cannot be taken up where it was
├── RecordError           the other side: the call's record could not be written
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


class PromptError(ConversationError):
    """A recorded prompt is missing or is not 16-bit mono PCM at a usable rate."""

    code = "prompt"


class IllegalTransition(ConversationError):
    """A call session was moved between two states that do not follow each other."""

    code = "illegal_transition"


class CannotResume(ConversationError):
    """What was kept of a call is unreadable, or fits its flow no more; the message says which."""

    code = "cannot_resume"


class RecordError(ConversationError):
    """The call log did not commit a fact; implementations of CallLog raise this family and no other."""

    code = "record"
    retryable = True


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
