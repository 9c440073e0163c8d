"""What every CallControl does: this suite defines the port.

The fake and the real Asterisk pass the same tests; what only real audio and a real dialplan can show stands below.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from parley.call_control import (
    AudioCodec,
    AudioPeer,
    AudioSocketTarget,
    AudioTarget,
    CallControl,
    CallControlError,
    CallId,
    DialplanTarget,
    DigitReceived,
    Direction,
    HangupCause,
    InvalidRequest,
    Leg,
    LegAnswered,
    LegEnded,
    LegGone,
    LegHeld,
    LegId,
    LegLeft,
    LegOffered,
    LegReplaced,
    LegRetrieved,
    LegRinging,
    LegState,
    OriginateRequest,
    PbxConnected,
    PbxUnavailable,
    RtpPeer,
    RtpTarget,
    WebSocketTarget,
)
from tests.contract.asterisk_bench import AsteriskBench, asterisk_bench
from tests.contract.benches import (
    ARGUMENTS,
    CALLER,
    DIALLED,
    SITE_NOTE,
    Bench,
    EventLog,
    FakeBench,
    Party,
    PeerNote,
    deaf,
    listening,
)
from tests.support.asterisk import Asterisk

NOWHERE = RtpTarget("127.0.0.1", 9)
"""Discard port: where audio goes when nobody needs to hear it."""
AWKWARD = 'a,b ${EXTEN} 100% {x} "quoted" \\ ; é + & = 中文 |'
"""What a caller may say and a variable must hold, unchanged."""


async def offered(bench: Bench, log: EventLog) -> tuple[Party, Leg]:
    """Let a caller dial; return the caller and the leg that we are offered."""
    party = await bench.dial()
    return party, (await log.next(LegOffered)).leg


async def answered(bench: Bench, log: EventLog) -> tuple[Party, Leg]:
    """Let a caller dial and take the call."""
    party, leg = await offered(bench, log)
    await bench.control.answer(leg.id)
    return party, (await log.next(LegAnswered)).leg


class CallControlContract:
    """The tests; a subclass gives the fixtures `bench` and `log`."""

    async def test_connection_is_the_first_thing_that_is_told(self, log: EventLog) -> None:
        assert (await log.next(PbxConnected)).version
        assert isinstance(log.seen[0], PbxConnected)

    async def test_offered_leg_carries_what_the_dialplan_and_the_caller_gave(self, bench: Bench, log: EventLog) -> None:
        await bench.dial(name="Jane Doe")
        leg = (await log.next(LegOffered)).leg
        assert leg.direction is Direction.INBOUND
        assert leg.state is LegState.OFFERED
        assert (leg.ani, leg.ani_name, leg.dnis) == (CALLER, "Jane Doe", DIALLED)
        assert leg.arguments == ARGUMENTS
        assert leg.variables == {"SITE_NOTE": SITE_NOTE}
        assert leg.call_id == CallId(leg.id)

    async def test_offered_leg_hears_ringing_when_asked(self, bench: Bench, log: EventLog) -> None:
        party, leg = await offered(bench, log)
        await bench.control.ring(leg.id)
        assert await party.hears_ringing()

    async def test_answer_is_told_once_and_a_second_answer_does_nothing(self, bench: Bench, log: EventLog) -> None:
        party, leg = await offered(bench, log)
        await bench.control.answer(leg.id)
        told = (await log.next(LegAnswered)).leg
        await bench.control.answer(leg.id)
        await bench.control.hangup(leg.id)
        await log.next(LegEnded)
        assert await party.is_answered()
        assert (told.id, told.state, told.arguments) == (leg.id, LegState.ANSWERED, ARGUMENTS)
        assert len(log.about(leg.id, [LegAnswered])) == 1

    async def test_hanging_up_ends_the_leg_with_our_cause(self, bench: Bench, log: EventLog) -> None:
        party, leg = await answered(bench, log)
        await bench.control.hangup(leg.id, HangupCause.USER_BUSY, {"PARLEY_OUTCOME": "done"})
        assert (await log.next(LegEnded)).cause is HangupCause.USER_BUSY
        assert await party.is_ended()

    async def test_offered_leg_can_be_refused(self, bench: Bench, log: EventLog) -> None:
        party, leg = await offered(bench, log)
        await bench.control.hangup(leg.id, HangupCause.SWITCH_CONGESTION)
        assert (await log.next(LegEnded)).cause is HangupCause.SWITCH_CONGESTION
        assert await party.is_ended()

    async def test_caller_who_hangs_up_ends_the_leg_once(self, bench: Bench, log: EventLog) -> None:
        party, leg = await answered(bench, log)
        await party.hang_up()
        assert (await log.next(LegEnded)) == LegEnded(leg.id, HangupCause.NORMAL_CLEARING)
        await offered(bench, log)
        assert len(log.about(leg.id, [LegEnded, LegLeft])) == 1

    async def test_caller_who_gives_up_before_the_answer_ends_the_leg(self, bench: Bench, log: EventLog) -> None:
        party, leg = await offered(bench, log)
        await bench.control.ring(leg.id)
        await party.hang_up()
        assert (await log.next(LegEnded)) == LegEnded(leg.id, HangupCause.NORMAL_CLEARING)

    async def test_every_command_to_a_leg_that_has_ended_raises_leg_gone(self, bench: Bench, log: EventLog) -> None:
        party, leg = await answered(bench, log)
        await party.hang_up()
        await log.next(LegEnded)
        await self._expect_gone(bench.control, leg.id)

    async def test_every_command_to_a_leg_that_never_was_raises_leg_gone(self, bench: Bench) -> None:
        await self._expect_gone(bench.control, LegId("never/was?here=1"))

    async def _expect_gone(self, control: CallControl, leg_id: LegId) -> None:
        for command in (
            control.claim(leg_id),
            control.ring(leg_id),
            control.answer(leg_id),
            control.attach_audio(leg_id, NOWHERE, deaf),
            control.send_dtmf(leg_id, "1"),
            control.hold(leg_id, True),
            control.join(leg_id, LegId("other")),
            control.part(leg_id, LegId("other")),
            control.transfer(leg_id, DialplanTarget("default", "100")),
            control.continue_in_dialplan(leg_id, {}),
            control.hangup(leg_id),
        ):
            with pytest.raises(LegGone):
                await command

    async def test_keys_of_the_party_are_told_once_and_in_order(self, bench: Bench, log: EventLog) -> None:
        party, leg = await answered(bench, log)
        await party.press("19*#")
        keys = [await log.next(DigitReceived) for _ in range(4)]
        assert "".join(key.digit for key in keys) == "19*#"
        assert all(key.leg_id == leg.id and key.duration_ms > 0 for key in keys)
        await party.hang_up()
        await log.next(LegEnded)
        assert len(log.about(leg.id, [DigitReceived])) == 4

    async def test_hold_and_return_of_the_party_are_told_once_each(self, bench: Bench, log: EventLog) -> None:
        party, leg = await answered(bench, log)
        await party.hold()
        await party.hold()
        assert (await log.next(LegHeld)).leg_id == leg.id
        await party.retrieve()
        assert (await log.next(LegRetrieved)).leg_id == leg.id
        await party.hold()
        await log.next(LegHeld)
        await party.hang_up()
        await log.next(LegEnded)
        told = log.about(leg.id, [LegHeld, LegRetrieved])
        assert [type(event) for event in told] == [LegHeld, LegRetrieved, LegHeld]

    async def test_keys_that_we_send_reach_the_party(self, bench: Bench, log: EventLog) -> None:
        party, leg = await answered(bench, log)
        await bench.control.send_dtmf(leg.id, "42#")
        assert await party.heard_keys(3) == "42#"

    @pytest.mark.parametrize("digits", ["", "12a", "1\r\n2", "1" * 65])
    async def test_keys_that_no_telephone_has_are_refused(self, bench: Bench, log: EventLog, digits: str) -> None:
        _, leg = await offered(bench, log)
        with pytest.raises(InvalidRequest):
            await bench.control.send_dtmf(leg.id, digits)

    async def test_audio_can_be_attached_before_the_answer_and_again(self, bench: Bench, log: EventLog) -> None:
        _, leg = await offered(bench, log)
        named = PeerNote()
        await bench.control.attach_audio(leg.id, NOWHERE, named)
        await bench.control.answer(leg.id)
        await log.next(LegAnswered)
        await bench.control.attach_audio(leg.id, NOWHERE, named)
        first, second = named.peers
        assert isinstance(first, RtpPeer)
        assert isinstance(second, RtpPeer)
        assert first.codec is second.codec is NOWHERE.codec
        assert first.host
        assert 0 < first.port < 65536
        assert second.port != first.port
        assert [leg.id for leg in await bench.control.legs()] == [leg.id]

    async def test_audio_that_our_end_cannot_open_is_given_up_and_the_leg_stays(
        self, bench: Bench, log: EventLog
    ) -> None:
        async def broken(peer: AudioPeer) -> None:
            raise OSError("our end is broken")

        _, leg = await offered(bench, log)
        with pytest.raises(OSError, match="our end is broken"):
            await bench.control.attach_audio(leg.id, NOWHERE, broken)
        assert [leg.id for leg in await bench.control.legs()] == [leg.id]
        await bench.control.attach_audio(leg.id, NOWHERE, deaf)

    @pytest.mark.parametrize(
        "target",
        [
            RtpTarget("127.0.0.1", 9, AudioCodec.SLIN16),
            AudioSocketTarget("127.0.0.1", 9, "6e0a3c1e-1c5a-4b5e-9d0e-0123456789ab", AudioCodec.ULAW),
            AudioSocketTarget("127.0.0.1", 9, "not-a-uuid"),
            WebSocketTarget(AudioCodec.G722),
            RtpTarget("127.0.0.1", 0),
        ],
    )
    async def test_audio_target_that_cannot_work_is_refused(
        self, bench: Bench, log: EventLog, target: AudioTarget
    ) -> None:
        _, leg = await offered(bench, log)
        with pytest.raises(InvalidRequest):
            await bench.control.attach_audio(leg.id, target, deaf)

    async def test_legs_that_are_joined_can_be_parted_and_end_on_their_own(self, bench: Bench, log: EventLog) -> None:
        party, leg = await answered(bench, log)
        _, other = await answered(bench, log)
        await bench.control.attach_audio(leg.id, NOWHERE, deaf)
        await bench.control.join(leg.id, other.id)
        await bench.control.part(leg.id, other.id)
        await bench.control.join(other.id, leg.id)
        await party.hang_up()
        assert (await log.next(LegEnded)).leg_id == leg.id
        assert [leg.id for leg in await bench.control.legs()] == [other.id]
        await bench.control.hangup(other.id)
        assert (await log.next(LegEnded)).leg_id == other.id

    async def test_party_that_takes_anothers_place_gets_its_audio_and_all_commands(
        self, bench: Bench, log: EventLog
    ) -> None:
        party, leg = await answered(bench, log)
        await bench.control.attach_audio(leg.id, NOWHERE, deaf)
        other = await bench.takes_the_place_of(party)
        told = await log.next(LegReplaced)
        assert told.leg_id == leg.id
        assert told.leg.id != leg.id
        assert (told.leg.state, told.leg.arguments, told.leg.call_id) == (LegState.ANSWERED, ARGUMENTS, leg.call_id)
        assert [leg.id for leg in await bench.control.legs()] == [told.leg.id]
        await bench.control.send_dtmf(told.leg.id, "42")
        assert await other.heard_keys(2) == "42"
        await other.press("7")
        assert (await log.next(DigitReceived)).leg_id == told.leg.id
        # Whoever has not heard of the change means the new leg too.
        assert await bench.control.audio_sent(leg.id) == await bench.control.audio_sent(told.leg.id)
        await bench.control.hangup(leg.id)
        assert (await log.next(LegEnded)).leg_id == told.leg.id
        assert await other.is_ended()
        assert not log.about(leg.id, [LegEnded, LegLeft])

    async def test_party_that_takes_anothers_place_can_be_given_to_the_dialplan(
        self, bench: Bench, log: EventLog
    ) -> None:
        party, leg = await answered(bench, log)
        await bench.control.attach_audio(leg.id, NOWHERE, deaf)
        await bench.takes_the_place_of(party)
        new_id = (await log.next(LegReplaced)).leg.id
        await bench.control.continue_in_dialplan(new_id, {"PARLEY_STATUS": "TRANSFER", "PARLEY_SUMMARY": AWKWARD})
        assert (await log.next(LegLeft)).leg_id == new_id
        assert await bench.variable(new_id, "PARLEY_SUMMARY") == AWKWARD
        assert await bench.control.legs() == []

    async def test_music_can_be_started_and_stopped(self, bench: Bench, log: EventLog) -> None:
        _, leg = await answered(bench, log)
        await bench.control.hold(leg.id, music=True)
        await bench.control.hold(leg.id, music=False)
        assert await bench.control.legs()

    async def test_dialplan_goes_on_with_our_variables_and_the_leg_has_left(self, bench: Bench, log: EventLog) -> None:
        party, leg = await answered(bench, log)
        variables = {"PARLEY_STATUS": "SERVED", "PARLEY_SUMMARY": AWKWARD, "PARLEY_SLOT_A": "one\r\nSet: two\0"}
        await bench.control.continue_in_dialplan(leg.id, variables)
        assert (await log.next(LegLeft)).leg_id == leg.id
        assert await bench.variable(leg.id, "PARLEY_STATUS") == "SERVED"
        assert await bench.variable(leg.id, "PARLEY_SUMMARY") == AWKWARD
        assert await bench.variable(leg.id, "PARLEY_SLOT_A") == "one Set: two"
        assert await bench.control.legs() == []
        await self._expect_gone(bench.control, leg.id)
        await party.hang_up()
        await offered(bench, log)
        assert len(log.about(leg.id, [LegEnded, LegLeft])) == 1

    @pytest.mark.parametrize("name", ["", "lower", "A B", "A)", "SHELL(id)", "X" * 81])
    async def test_variable_names_that_could_do_harm_are_refused(self, bench: Bench, log: EventLog, name: str) -> None:
        _, leg = await offered(bench, log)
        for command in (
            bench.control.continue_in_dialplan(leg.id, {name: "x"}),
            bench.control.hangup(leg.id, variables={name: "x"}),
        ):
            with pytest.raises(InvalidRequest):
                await command
        assert [leg.id for leg in await bench.control.legs()] == [leg.id]

    async def test_leg_can_be_sent_to_a_place_in_the_dialplan(self, bench: Bench, log: EventLog) -> None:
        _, leg = await offered(bench, log)
        await bench.control.transfer(leg.id, DialplanTarget("from-trunk", "900"))
        assert (await log.next(LegLeft)).leg_id == leg.id
        assert await bench.control.legs() == []

    async def test_outbound_leg_rings_is_answered_and_ends(self, bench: Bench, log: EventLog) -> None:
        request = OriginateRequest(bench.destination, "+15550123", arguments=("campaign=7", "contact=9"))
        leg_id = await bench.control.originate(request)
        party = await bench.called_party()
        await party.ring()
        assert (await log.next(LegRinging)).leg_id == leg_id
        assert [(leg.id, leg.state) for leg in await bench.control.legs()] == [(leg_id, LegState.RINGING)]
        await party.answer()
        leg = (await log.next(LegAnswered)).leg
        assert (leg.id, leg.direction, leg.state) == (leg_id, Direction.OUTBOUND, LegState.ANSWERED)
        assert leg.arguments == request.arguments
        await party.hang_up()
        assert await log.next(LegEnded) == LegEnded(leg_id, HangupCause.NORMAL_CLEARING)
        assert not log.about(leg_id, [LegOffered])

    @pytest.mark.parametrize("cause", [HangupCause.USER_BUSY, HangupCause.CALL_REJECTED])
    async def test_refused_attempt_ends_with_its_cause(self, bench: Bench, log: EventLog, cause: HangupCause) -> None:
        leg_id = await bench.control.originate(OriginateRequest(bench.destination))
        await (await bench.called_party()).refuse(cause)
        assert await log.next(LegEnded) == LegEnded(leg_id, cause)

    async def test_attempt_that_nobody_answers_ends_with_no_answer(self, bench: Bench, log: EventLog) -> None:
        leg_id = await bench.control.originate(OriginateRequest(bench.destination, timeout_s=1))
        await (await bench.called_party()).let_it_ring()
        assert await log.next(LegEnded) == LegEnded(leg_id, HangupCause.NO_ANSWER)

    async def test_attempt_can_be_given_up_while_it_rings(self, bench: Bench, log: EventLog) -> None:
        leg_id = await bench.control.originate(OriginateRequest(bench.destination))
        party = await bench.called_party()
        await party.ring()
        await log.next(LegRinging)
        await bench.control.hangup(leg_id, variables={"PARLEY_OUTCOME": "given up"})
        assert await log.next(LegEnded) == LegEnded(leg_id, HangupCause.NORMAL_CLEARING)
        assert await party.is_ended()

    async def test_closing_twice_ends_the_events_and_refuses_commands(self, bench: Bench, log: EventLog) -> None:
        _, leg = await offered(bench, log)
        await bench.control.aclose()
        await bench.control.aclose()
        async with asyncio.timeout(5):
            await log.finished.wait()
        for command in (bench.control.legs(), bench.control.answer(leg.id)):
            with pytest.raises(PbxUnavailable):
                await command


class TestFakeCallControl(CallControlContract):
    """The fake keeps what the port promises."""

    @pytest.fixture
    async def bench(self) -> FakeBench:
        return FakeBench()

    @pytest.fixture
    async def log(self, bench: FakeBench) -> AsyncIterator[EventLog]:
        async with listening(bench.control) as log:
            yield log

    async def test_refusal_that_a_test_asked_for_happens_once(self, bench: FakeBench) -> None:
        leg = bench.pbx.caller_arrives()
        bench.pbx.refuse("answer", CallControlError("no"))
        with pytest.raises(CallControlError, match="no"):
            await bench.control.answer(leg.id)
        await bench.control.answer(leg.id)

    async def test_lost_connection_refuses_commands_until_it_returns(self, bench: FakeBench) -> None:
        leg = bench.pbx.caller_arrives()
        bench.pbx.connection_breaks()
        with pytest.raises(PbxUnavailable):
            await bench.control.answer(leg.id)
        bench.pbx.connection_returns()
        await bench.control.answer(leg.id)
        assert [leg.state for leg in await bench.control.legs()] == [LegState.ANSWERED]


@pytest.mark.contract
@pytest.mark.asyncio(loop_scope="module")
class TestAsteriskCallControl(CallControlContract):
    """The adapter on a real Asterisk, called by real SIP phones."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def bench(self, asterisk: Asterisk) -> AsyncIterator[AsteriskBench]:
        async with asterisk_bench(asterisk) as bench:
            yield bench

    @pytest_asyncio.fixture(loop_scope="module")
    async def log(self, bench: AsteriskBench) -> AsyncIterator[EventLog]:
        async with listening(bench.control) as log:
            yield log
