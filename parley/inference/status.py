"""EngineError on one side of the wire is a gRPC status code, and the same EngineError on the other side."""

from __future__ import annotations

from grpc import StatusCode

from parley.conversation.errors import EngineError, EngineMissing, EngineTimeout, EngineUnavailable

_CODE_OF: dict[type[EngineError], StatusCode] = {
    EngineMissing: StatusCode.UNIMPLEMENTED,
    EngineTimeout: StatusCode.DEADLINE_EXCEEDED,
    EngineUnavailable: StatusCode.UNAVAILABLE,
}

_ERROR_OF: dict[StatusCode, type[EngineError]] = {
    StatusCode.UNIMPLEMENTED: EngineMissing,
    StatusCode.DEADLINE_EXCEEDED: EngineTimeout,
    StatusCode.UNAVAILABLE: EngineUnavailable,
    StatusCode.RESOURCE_EXHAUSTED: EngineUnavailable,
    StatusCode.CANCELLED: EngineUnavailable,
}


def code_of(error: EngineError) -> StatusCode:
    """Return the status code that carries this error; INTERNAL for a plain EngineError."""
    return next((code for kind, code in _CODE_OF.items() if isinstance(error, kind)), StatusCode.INTERNAL)


def error_of(code: StatusCode, details: str | None) -> EngineError:
    """Return the error that a status code stands for.

    CANCELLED is what the caller sees when the worker shuts down in the middle of a stream: unavailable.
    """
    return _ERROR_OF.get(code, EngineError)(details or code.name)
