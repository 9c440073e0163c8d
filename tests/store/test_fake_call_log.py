"""The fake call log keeps the contract that the dialogue's tests rely on."""

from collections.abc import Sequence

import pytest

from parley.conversation.ports import CallLog
from parley.conversation.record import CallStart
from parley.store import CallRecord
from tests.fakes.call_log import FakeCallLog
from tests.store.call_log_contract import CallLogContract, Recorded


class TestFakeCallLog(CallLogContract):
    @pytest.fixture
    def subject(self) -> CallLog:
        return FakeCallLog()

    @pytest.fixture
    def recorded(self, subject: FakeCallLog) -> Recorded:
        async def read(call_id: str) -> Sequence[CallRecord]:
            [start] = [fact for fact in subject.facts if isinstance(fact, CallStart)]
            answered_ms = next((fact for fact in subject.facts if isinstance(fact, int)), None)
            return [CallRecord(start, answered_ms, subject.end, tuple(subject.turns), tuple(subject.notes))]

        return read
