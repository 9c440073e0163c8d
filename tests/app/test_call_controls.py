"""Two PBX adapters as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from parley.app.call_controls import CallControls
from parley.call_control import (
    AudioPeer,
    CallEvent,
    DialplanTarget,
    HangupCause,
    LegAnswered,
    LegEnded,
    LegGone,
    LegId,
    LegOffered,
    LegReplaced,
    OriginateRequest,
    PbxRefused,
    RtpTarget,
)
from tests.contract.benches import EventLog, listening
from tests.fakes.call_control import FakeCallControl


class Pair:
    """The two and both of them together."""

    def __init__(self) -> None:
        self.main, self.other = FakeCallControl(), FakeCallControl("other 1.0")
        self.both = CallControls(self.main, self.other)


async def no_audio(peer: AudioPeer) -> None:
    """Our end is nowhere."""


async def test_events_of_both_come_each_in_its_order() -> None:
    pair = Pair()
    async with listening(pair.both) as log:
        first = pair.main.caller_arrives(leg_id="main")
        pair.main.caller_hangs_up(first.id)
        second = pair.other.caller_arrives(leg_id="other")
        pair.other.caller_hangs_up(second.id)
        await log.next(LegEnded)
        await log.next(LegEnded)
        for leg in (first, second):
            kinds = [type(event) for event in log.about(leg.id, [LegOffered, LegEnded])]
            assert kinds == [LegOffered, LegEnded]


async def test_party_that_takes_anothers_place_is_commanded_by_either_name() -> None:
    pair = Pair()
    async with listening(pair.both) as log:
        old = pair.main.caller_arrives()
        await log.next(LegOffered)
        new = pair.main.another_takes_the_place(old.id)
        await log.next(LegReplaced)
        await pair.both.send_dtmf(old.id, "5")
        await pair.both.send_dtmf(new.id, "6")
        assert pair.main.record(new.id).digits_sent == "56"


async def test_every_command_goes_to_the_one_that_has_the_leg() -> None:
    pair = Pair()
    async with listening(pair.both) as log:
        for fake in (pair.main, pair.other):
            leg = fake.caller_arrives(leg_id=f"leg of {fake.__hash__()}")
            await log.next(LegOffered)
            await pair.both.ring(leg.id)
            await pair.both.answer(leg.id)
            await log.next(LegAnswered)
            await pair.both.attach_audio(leg.id, RtpTarget("127.0.0.1", 9), no_audio)
            await pair.both.send_dtmf(leg.id, "5")
            await pair.both.hold(leg.id, True)
            record = fake.record(leg.id)
            assert record.ringing
            assert record.answered_by_us
            assert (record.digits_sent, record.on_hold) == ("5", True)
            await pair.both.hangup(leg.id, HangupCause.USER_BUSY)
            assert record.hung_up_with is HangupCause.USER_BUSY
            await log.next(LegEnded)
        for fake, leave in ((pair.other, "transfer"), (pair.other, "continue")):
            leg = fake.caller_arrives()
            await log.next(LegOffered)
            if leave == "transfer":
                await pair.both.transfer(leg.id, DialplanTarget("sales", "1"))
            else:
                await pair.both.continue_in_dialplan(leg.id, {"PARLEY_STATUS": "SERVED"})
            assert fake.record(leg.id).left


async def test_legs_of_both_are_listed_and_calls_out_are_the_main_one_s() -> None:
    pair = Pair()
    legs = [pair.main.caller_arrives(leg_id="a"), pair.other.caller_arrives(leg_id="b")]
    assert await pair.both.legs() == legs
    await pair.both.originate(OriginateRequest("fake/party"))
    assert (len(pair.main.originated), len(pair.other.originated)) == (1, 0)


async def test_legs_of_different_ways_are_not_joined() -> None:
    pair = Pair()
    async with listening(pair.both) as log:
        first, second = pair.main.caller_arrives(leg_id="a"), pair.other.caller_arrives(leg_id="b")
        await log.next(LegOffered)
        await log.next(LegOffered)
        with pytest.raises(PbxRefused, match="different ways"):
            await pair.both.join(first.id, second.id)
        third = pair.other.caller_arrives(leg_id="c")
        await log.next(LegOffered)
        await pair.both.join(second.id, third.id)
        await pair.both.part(second.id, third.id)


async def test_leg_that_has_ended_is_gone_for_both() -> None:
    pair = Pair()
    async with listening(pair.both) as log:
        leg = pair.other.caller_arrives()
        pair.other.caller_hangs_up(leg.id)
        await log.next(LegEnded)
        with pytest.raises(LegGone):
            await pair.both.answer(leg.id)


async def test_events_end_when_both_are_closed_and_closing_closes_both() -> None:
    pair = Pair()
    async with listening(pair.both) as log:
        await pair.other.aclose()
        pair.main.caller_arrives()
        await log.next(LegOffered)
        await pair.both.aclose()
        async with asyncio.timeout(1):
            await log.finished.wait()
    assert pair.main.closed


class Broken(FakeCallControl):
    """An adapter that fails."""

    async def events(self) -> AsyncIterator[CallEvent]:
        raise OSError("broken")
        yield


async def test_failure_of_one_is_the_failure_of_both() -> None:
    log = EventLog(CallControls(FakeCallControl(), Broken()))
    with pytest.raises(OSError, match="broken"):
        await log.run()


async def test_nobody_s_leg_is_asked_of_the_main_one() -> None:
    with pytest.raises(LegGone):
        await Pair().both.ring(LegId("nobody"))
