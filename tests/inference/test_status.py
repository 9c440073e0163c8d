"""Engine errors cross the wire as status codes."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from parley.conversation.errors import EngineError, EngineMissing, EngineTimeout, EngineUnavailable
from parley.inference.status import code_of, error_of


@pytest.mark.parametrize("kind", [EngineError, EngineMissing, EngineTimeout, EngineUnavailable])
def test_error_is_of_the_same_kind_on_the_other_side(kind: type[EngineError]) -> None:
    error = error_of(code_of(kind("why")), "why")
    assert type(error) is kind
    assert str(error) == "why"


@pytest.mark.parametrize("code", [StatusCode.RESOURCE_EXHAUSTED, StatusCode.CANCELLED])
def test_overload_and_shutdown_are_unavailable_and_may_be_tried_again(code: StatusCode) -> None:
    error = error_of(code, None)
    assert isinstance(error, EngineUnavailable)
    assert error.retryable
    assert str(error) == code.name
