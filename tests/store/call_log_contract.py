"""What a `parley.conversation.ports.CallLog` does.

CallLogContract is for every one: facts of one call, told in a possible order, are kept as they were told.
KeepingCallLogContract is for those that keep many calls: facts are kept apart, impossible ones are refused.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from parley.conversation.errors import RecordError
from parley.conversation.ports import CallLog
from parley.conversation.record import CallEnd, EndReason
from parley.store import CallRecord
from tests.store.calls import END, GREETING, NOTE, START, TURN, start

Recorded = Callable[[str], Awaitable[Sequence[CallRecord]]]
"""Returns every visit recorded of the call with this id, oldest first."""


class CallLogContract:
    """Subclass it with fixtures `subject` (an empty CallLog) and `recorded`."""

    async def test_an_offered_call_is_recorded_as_it_came(self, subject: CallLog, recorded: Recorded) -> None:
        await subject.call_started(START)
        assert await recorded(START.call_id) == [CallRecord(START, answered_ms=None, end=None, turns=(), notes=())]

    async def test_a_whole_call_is_recorded_in_order(self, subject: CallLog, recorded: Recorded) -> None:
        later = replace(NOTE, kind="silence", at_ms=NOTE.at_ms - 1)
        await subject.call_started(START)
        await subject.call_answered(START.call_id, 95)
        await subject.turn_ended(START.call_id, GREETING)
        await subject.noted(START.call_id, NOTE)
        await subject.turn_ended(START.call_id, TURN)
        await subject.noted(START.call_id, later)
        await subject.call_ended(START.call_id, END)
        assert await recorded(START.call_id) == [CallRecord(START, 95, END, (GREETING, TURN), (NOTE, later))]

    @pytest.mark.parametrize("reason", EndReason)
    async def test_every_reason_for_an_end_is_recorded(
        self, subject: CallLog, recorded: Recorded, reason: EndReason
    ) -> None:
        end = CallEnd(ended_at=START.started_at + 1, reason=reason)
        await subject.call_started(START)
        await subject.call_ended(START.call_id, end)
        [record] = await recorded(START.call_id)
        assert record.end == end

    async def test_what_became_of_the_caller_is_recorded_after_the_end(
        self, subject: CallLog, recorded: Recorded
    ) -> None:
        note = replace(NOTE, kind="agent_answered", at_ms=90_000, details={"queue": "support", "agent": "Anna"})
        await subject.call_started(START)
        await subject.call_ended(START.call_id, END)
        await subject.followed_up(START.call_id, note)
        [record] = await recorded(START.call_id)
        assert (record.end, record.notes) == (END, (note,))


class KeepingCallLogContract(CallLogContract):
    """What a call log that outlives its calls does besides."""

    async def test_facts_of_different_calls_stay_apart(self, subject: CallLog, recorded: Recorded) -> None:
        await subject.call_started(START)
        await subject.call_started(start("other"))
        await subject.turn_ended("other", TURN)
        await subject.turn_ended(START.call_id, GREETING)
        [record], [other] = await recorded(START.call_id), await recorded("other")
        assert (record.turns, other.turns) == ((GREETING,), (TURN,))

    async def test_a_second_visit_of_the_same_call_is_a_record_of_its_own(
        self, subject: CallLog, recorded: Recorded
    ) -> None:
        back = replace(START, started_at=START.started_at + 300)
        await subject.call_started(START)
        await subject.turn_ended(START.call_id, GREETING)
        await subject.call_ended(START.call_id, END)
        await subject.call_started(back)
        await subject.turn_ended(START.call_id, GREETING)
        first, second = await recorded(START.call_id)
        assert (first.start, first.turns, first.end) == (START, (GREETING,), END)
        assert (second.start, second.turns, second.end) == (back, (GREETING,), None)

    async def test_a_call_that_is_open_is_not_started_again(self, subject: CallLog, recorded: Recorded) -> None:
        await subject.call_started(START)
        with pytest.raises(RecordError):
            await subject.call_started(START)
        assert len(await recorded(START.call_id)) == 1

    async def test_a_turn_number_is_recorded_once(self, subject: CallLog, recorded: Recorded) -> None:
        await subject.call_started(START)
        await subject.turn_ended(START.call_id, TURN)
        with pytest.raises(RecordError):
            await subject.turn_ended(START.call_id, replace(TURN, caller_text="on monday"))
        [record] = await recorded(START.call_id)
        assert record.turns == (TURN,)

    async def test_an_ended_call_takes_no_more_facts(self, subject: CallLog, recorded: Recorded) -> None:
        await subject.call_started(START)
        await subject.call_ended(START.call_id, END)
        with pytest.raises(RecordError):
            await subject.turn_ended(START.call_id, TURN)
        with pytest.raises(RecordError):
            await subject.noted(START.call_id, NOTE)
        with pytest.raises(RecordError):
            await subject.call_ended(START.call_id, replace(END, outcome="other"))
        [record] = await recorded(START.call_id)
        assert (record.turns, record.notes, record.end) == ((), (), END)

    async def test_facts_of_a_call_that_was_not_started_are_refused(self, subject: CallLog) -> None:
        with pytest.raises(RecordError):
            await subject.call_answered("never", 1)
        with pytest.raises(RecordError):
            await subject.turn_ended("never", TURN)
