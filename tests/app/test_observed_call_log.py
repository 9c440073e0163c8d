import logging

import pytest

from parley.app.metrics import Metrics
from parley.app.observed_call_log import ObservedCallLog
from parley.conversation.record import CallEnd, EndReason, Turn, TurnTimings
from parley.store import StoreUnavailable
from tests.fakes.call_log import FakeCallLog

END = CallEnd(ended_at=1.0, reason=EndReason.COMPLETED)


class WatchedLog(FakeCallLog):
    """A call log that notes what the node's log had said when the end was committed."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        super().__init__()
        self._caplog = caplog
        self.said_before: list[str] = []

    async def call_ended(self, call_id: str, end: CallEnd) -> None:
        self.said_before = [record.message for record in self._caplog.records]
        await super().call_ended(call_id, end)


class FailingLog(FakeCallLog):
    async def call_ended(self, call_id: str, end: CallEnd) -> None:
        raise StoreUnavailable("the disk is full")


async def test_log_says_that_a_call_ended_only_once_its_record_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    inner = WatchedLog(caplog)
    await ObservedCallLog(inner, Metrics()).call_ended("1", END)
    assert inner.end is END
    assert "call ended" not in inner.said_before
    assert "call ended" in [record.message for record in caplog.records]


async def test_log_says_that_a_call_ended_when_its_record_fails_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(StoreUnavailable):
        await ObservedCallLog(FailingLog(), Metrics()).call_ended("1", END)
    messages = [record.message for record in caplog.records]
    assert messages == ["call record not written", "call ended"]


def turn(number: int, response_ms: int | None) -> Turn:
    return Turn(number=number, node="ask", at_ms=0, timings=TurnTimings(response_ms=response_ms))


async def test_slow_responses_are_warned_of_once_and_the_metrics_have_the_percentile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    log = ObservedCallLog(FakeCallLog(), metrics, objective_ms=1000)
    for number in range(40):
        await log.turn_ended("1", turn(number + 1, 1200))
        await log.turn_ended("1", turn(0, 9000))
        await log.turn_ended("1", turn(number + 1, None))
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.message for record in warnings] == ["callers wait too long for the agent"]
    assert metrics.registry.get_sample_value("parley_turn_response_p95_seconds") == 1.2
