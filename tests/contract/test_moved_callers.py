"""Callers whom the PBX or their own phones move in the middle of a call, on a real Asterisk.

Transfers are tried both ways: carried out by Asterisk itself, and left to us.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ari_app.dead_man import OFFER_GRACE_S
from parley.call_control import LegEnded, LegGone, LegHeld, LegId, LegLeft, LegOffered, LegReplaced, LegRetrieved
from tests.contract.asterisk_bench import AsteriskBench, connected
from tests.contract.benches import EventLog, listening, until
from tests.contract.test_asterisk import attach, hears, streams, talking
from tests.support.asterisk import Asterisk
from tests.support.phone_media import MediaStream
from tests.support.recording import tone
from tests.support.sip_phone import PhoneCall

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

LOW_HZ, MIDDLE_HZ, HIGH_HZ = 400, 700, 1100
LAST_WITHOUT_TRANSFERS_FOR_US = 18
"""Asterisk 20 and later may leave transfers to us, from some minor release on."""


async def test_caller_whom_an_operator_redirects_has_left_and_nothing_of_ours_stays(
    bench: AsteriskBench, log: EventLog
) -> None:
    async with streams(1) as (end,):
        call, leg_id = await talking(bench, log)
        await attach(bench.control, leg_id, end)
        await bench.redirect(leg_id, "from-trunk,900,1")
        assert (await log.next(LegLeft)).leg_id == leg_id

        async def only_the_leg() -> bool:
            return await bench.channel_ids() == [leg_id] and not await bench.rest.bridges()

        assert await until(only_the_leg)
        call.play(tone(LOW_HZ, 2))
        assert await hears(call.heard, LOW_HZ), "the dialplan's Echo() does not answer"
        with pytest.raises(LegGone):
            await bench.control.answer(leg_id)


async def test_dead_man_timer_does_not_follow_a_redirected_caller(asterisk: Asterisk, bench: AsteriskBench) -> None:
    await bench.control.aclose()
    async with connected(asterisk, dead_man_s=1.0) as control, listening(control) as log:
        bench.control = control
        call, leg_id = await talking(bench, log)
        await bench.redirect(leg_id, "from-trunk,900,1")
        await log.next(LegLeft)
        await asyncio.sleep(1.5)
        assert not call.is_ended
        assert await bench.rest.get_variable(leg_id, "TIMEOUT(absolute)") == "0"
        call.play(tone(LOW_HZ, 2))
        assert await hears(call.heard, LOW_HZ), "the timer took the caller out of the dialplan's Echo()"
        assert await bench.channel_ids() == [leg_id]


# --- attended transfers -----------------------------------------------------------------------------------


@asynccontextmanager
async def control_with(
    asterisk: Asterisk, bench: AsteriskBench, *, by_us: bool, dead_man_s: float = 10.0
) -> AsyncIterator[EventLog]:
    """Give the bench an adapter that carries transfers out itself, or leaves them to Asterisk."""
    if by_us and bench.major <= LAST_WITHOUT_TRANSFERS_FOR_US:
        pytest.skip(f"Asterisk {bench.major} leaves transfers to nobody")
    await bench.control.aclose()
    async with connected(asterisk, transfers_by_us=by_us, dead_man_s=dead_man_s) as control, listening(control) as log:
        bench.control = control
        yield log


async def can_transfer(call: PhoneCall) -> None:
    """Wait until Asterisk leaves the caller's transfers to us, if it is to do so."""
    await call.wait_answered()
    await asyncio.sleep(4 * OFFER_GRACE_S)


async def two_calls(
    bench: AsteriskBench, log: EventLog, end: MediaStream, number: str = "920"
) -> tuple[PhoneCall, LegId, PhoneCall, PhoneCall]:
    """Let a caller talk with us and with somebody else; return the call with us, its leg, the other call's two ends."""
    call = bench.caller.dial(number)
    leg_id = (await log.next(LegOffered)).leg.id
    await attach(bench.control, leg_id, end)
    await bench.control.answer(leg_id)
    await can_transfer(call)
    await call.hold()
    await log.next(LegHeld)
    first = bench.caller.dial("941")
    other = (await bench.called_party()).call
    await other.answer()
    other.play(tone(MIDDLE_HZ, 1))
    # Nobody transfers within the millisecond in which Asterisk connects the two.
    assert await hears(first.heard, MIDDLE_HZ)
    return call, leg_id, first, other


async def talk(end: MediaStream, other: PhoneCall) -> None:
    """Let both ends of a conversation hear each other."""
    end.play(tone(LOW_HZ, 4))
    other.play(tone(HIGH_HZ, 4))
    assert await hears(other.heard, LOW_HZ)
    assert await hears(end.heard, HIGH_HZ)


async def is_told(call: PhoneCall, progress: str) -> bool:
    """Wait until the phone is told this of the transfer that it asked for."""

    async def now() -> bool:
        return bool(call.transfer_progress) and progress in call.transfer_progress[-1]

    return await until(now)


@pytest.mark.parametrize("by_us", [False, True], ids=["by-asterisk", "by-us"])
@pytest.mark.parametrize("asked_on", ["our-call", "the-other-call"])
async def test_conversation_goes_on_with_whom_the_caller_connects_us_with(
    asterisk: Asterisk, bench: AsteriskBench, by_us: bool, asked_on: str
) -> None:
    async with streams(1) as (end,), control_with(asterisk, bench, by_us=by_us) as log:
        call, leg_id, first, other = await two_calls(bench, log, end)
        asked, named = (call, first) if asked_on == "our-call" else (first, call)
        asked.connect_with(named)
        replaced = await log.next(LegReplaced)
        assert replaced.leg_id == leg_id
        assert await is_told(asked, "200 OK")
        await asyncio.gather(call.hangup(), first.hangup())
        await talk(end, other)
        assert [leg.id for leg in await bench.control.legs()] == [replaced.leg.id]
        [channel] = [channel for channel in await bench.rest.channels() if channel.id == replaced.leg.id]
        assert channel.is_held_by("parley")
        assert (channel.context, channel.priority) == ("parley-moved", 2), "a leg that is back is recognised by this"
        await other.hangup()
        assert (await log.next(LegEnded)).leg_id == replaced.leg.id
        assert await bench.nothing_is_left()
        assert not log.about(leg_id, [LegEnded, LegLeft])


async def test_phone_that_does_not_go_after_a_transfer_is_hung_up(asterisk: Asterisk, bench: AsteriskBench) -> None:
    async with streams(1) as (end,), control_with(asterisk, bench, by_us=True) as log:
        call, _, first, other = await two_calls(bench, log, end)
        call.connect_with(first)
        await log.next(LegReplaced)
        await call.wait_ended(8.0)
        assert not other.is_ended
        await other.hangup()
        assert await bench.nothing_is_left()


async def test_moved_party_reaches_extension_t_when_the_process_stops_working(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    async with streams(1) as (end,):
        async with control_with(asterisk, bench, by_us=False, dead_man_s=1.0) as log:
            call, _, first, other = await two_calls(bench, log, end)
            first.connect_with(call)
            new_id = (await log.next(LegReplaced)).leg.id
            await talk(end, other)

        async def in_the_queue() -> bool:
            [channel] = [channel for channel in await bench.rest.channels() if channel.id == new_id]
            return channel.app_name == "Queue"

        assert await until(in_the_queue)
        assert not other.is_ended


async def test_moved_party_is_taken_back_by_the_context_that_the_site_names(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    await asterisk.cli("dialplan set global PARLEY_MOVED contract-moved")
    try:
        async with streams(1) as (end,), control_with(asterisk, bench, by_us=False) as log:
            call, _, first, other = await two_calls(bench, log, end)
            first.connect_with(call)
            new_id = (await log.next(LegReplaced)).leg.id
            await bench.control.continue_in_dialplan(new_id, {"PARLEY_STATUS": "TRANSFER"})
            assert (await log.next(LegLeft)).leg_id == new_id
            other.play(tone(HIGH_HZ, 4))
            assert await hears(other.heard, HIGH_HZ), "not in the Echo() of [contract-moved]"
    finally:
        await asterisk.cli("dialplan set global PARLEY_MOVED ")


async def test_caller_who_connects_us_with_nobody_stays(asterisk: Asterisk, bench: AsteriskBench) -> None:
    async with streams(1) as (end,), control_with(asterisk, bench, by_us=True) as log:
        call, leg_id, first, other = await two_calls(bench, log, end)
        await other.hangup()
        await first.wait_ended()
        call.connect_with(first)
        assert await is_told(call, "603")
        await call.resume()
        await log.next(LegRetrieved)
        await talk(end, call)
        assert [leg.id for leg in await bench.control.legs()] == [leg_id]


# --- blind transfers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_us", [False, True], ids=["by-asterisk", "by-us"])
async def test_blind_transfer_is_refused_where_the_site_allows_none(
    asterisk: Asterisk, bench: AsteriskBench, by_us: bool
) -> None:
    async with streams(1) as (end,), control_with(asterisk, bench, by_us=by_us) as log:
        call = bench.caller.dial("943")
        leg_id = (await log.next(LegOffered)).leg.id
        await attach(bench.control, leg_id, end)
        await bench.control.answer(leg_id)
        await can_transfer(call)
        call.refer("sip:900@127.0.0.1")
        assert await is_told(call, "603" if by_us else "404")
        await talk(end, call)
        assert [leg.id for leg in await bench.control.legs()] == [leg_id]


async def asks_for_extension_1(bench: AsteriskBench, log: EventLog, end: MediaStream) -> tuple[PhoneCall, LegId]:
    """Let a caller whom the site allows it ask for the called phone's extension."""
    call = bench.caller.dial("942")
    leg_id = (await log.next(LegOffered)).leg.id
    await attach(bench.control, leg_id, end)
    await bench.control.answer(leg_id)
    await can_transfer(call)
    call.refer("sip:1@127.0.0.1")
    return call, leg_id


async def test_blind_transfer_that_we_carry_out_keeps_the_caller_until_it_is_answered(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    async with streams(1) as (end,), control_with(asterisk, bench, by_us=True) as log:
        call, leg_id = await asks_for_extension_1(bench, log, end)
        other = (await bench.called_party()).call
        other.ring()
        await talk(end, call)
        await other.answer()
        replaced = await log.next(LegReplaced)
        assert replaced.leg_id == leg_id
        assert await is_told(call, "200 OK")
        await call.hangup()
        await talk(end, other)
        await bench.control.hangup(replaced.leg.id)
        await other.wait_ended()
        assert await bench.nothing_is_left()


async def test_blind_transfer_that_nobody_takes_leaves_the_caller_with_us(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    async with streams(1) as (end,), control_with(asterisk, bench, by_us=True) as log:
        call, leg_id = await asks_for_extension_1(bench, log, end)
        (await bench.called_party()).call.reject(486)
        assert await is_told(call, "503")
        await talk(end, call)
        assert [leg.id for leg in await bench.control.legs()] == [leg_id]
        await call.hangup()
        assert await bench.nothing_is_left()


@pytest.mark.parametrize("answered", [True, False])
async def test_caller_who_goes_before_his_blind_transfer_is_answered_is_waited_for(
    asterisk: Asterisk, bench: AsteriskBench, answered: bool
) -> None:
    async with streams(1) as (end,), control_with(asterisk, bench, by_us=True) as log:
        call, leg_id = await asks_for_extension_1(bench, log, end)
        other = (await bench.called_party()).call
        other.ring()
        await call.hangup()
        assert (await log.next(LegHeld)).leg_id == leg_id
        if answered:
            await other.answer()
            assert (await log.next(LegReplaced)).leg_id == leg_id
            await talk(end, other)
            await other.hangup()
        else:
            other.reject(486)
            assert (await log.next(LegEnded)).leg_id == leg_id
        assert await bench.nothing_is_left()


@pytest.mark.parametrize("answered", [True, False])
async def test_blind_transfer_that_asterisk_carries_out_is_a_hold_until_it_is_answered(
    asterisk: Asterisk, bench: AsteriskBench, answered: bool
) -> None:
    async with streams(1) as (end,), control_with(asterisk, bench, by_us=False) as log:
        call, leg_id = await asks_for_extension_1(bench, log, end)
        replaced = await log.next(LegReplaced)
        assert replaced.leg_id == leg_id
        other = (await bench.called_party()).call
        other.ring()
        assert (await log.next(LegHeld)).leg_id == replaced.leg.id
        if answered:
            await other.answer()
            assert (await log.next(LegRetrieved)).leg_id == replaced.leg.id
            await call.hangup()
            await talk(end, other)
            await bench.control.continue_in_dialplan(replaced.leg.id, {"PARLEY_STATUS": "TRANSFER"})
            assert (await log.next(LegLeft)).leg_id == replaced.leg.id
            await other.hangup()
        else:
            other.reject(486)
            assert (await log.next(LegEnded)).leg_id == replaced.leg.id
            await call.hangup()
        assert await bench.nothing_is_left()


@pytest.mark.parametrize(("redirected", "number", "extension"), [(True, "942", "1"), (False, "944", "941")])
async def test_caller_who_was_taken_from_us_can_transfer_again_by_asterisk(
    asterisk: Asterisk, bench: AsteriskBench, redirected: bool, number: str, extension: str
) -> None:
    async with streams(1) as (end,):
        async with control_with(asterisk, bench, by_us=True, dead_man_s=1.0) as log:
            call = bench.caller.dial(number)
            leg_id = (await log.next(LegOffered)).leg.id
            await attach(bench.control, leg_id, end)
            await bench.control.answer(leg_id)
            await can_transfer(call)
            if redirected:
                await bench.redirect(leg_id, "from-trunk,941,1")
                await log.next(LegLeft)
                other = await talks_with_the_called_phone(bench, call)
        if not redirected:
            other = await talks_with_the_called_phone(bench, call)
        call.refer(f"sip:{extension}@127.0.0.1")
        third = (await bench.called_party()).call
        await third.answer()
        third.play(tone(MIDDLE_HZ, 4))
        assert await hears(other.heard, MIDDLE_HZ)
        assert await is_told(call, "200 OK")


async def talks_with_the_called_phone(bench: AsteriskBench, call: PhoneCall) -> PhoneCall:
    """Let the called phone answer the caller whom the dialplan sends there; return its end."""
    other = (await bench.called_party()).call
    await other.answer()
    other.play(tone(HIGH_HZ, 2))
    assert await hears(call.heard, HIGH_HZ)
    return other


HOSTILE = [
    "sip:1%40internal@127.0.0.1",
    "sip:1%2Fn%2C30%2CU(x)@127.0.0.1",
    "sip:1%26PJSIP%2Fagent1@127.0.0.1",
    "sip:%24%7BSHELL(id)%7D@127.0.0.1",
    "sip:1%0D%0AX-Evil%3A%20yes@127.0.0.1",
    "sip:%00@127.0.0.1",
    "sip:T@127.0.0.1",
    "sip:" + "9" * 500 + "@127.0.0.1",
    "sip:127.0.0.1",
    "tel:1",
    "sip:1@127.0.0.1?Replaces=no%3Bto-tag%3Dsuch%3Bfrom-tag%3Dcall",
    "sip:1@127.0.0.1?Replaces=%0D%0A",
]
"""Refer-To that no site allows: what would act in a dial string or a header, places elsewhere, calls that are not."""


@pytest.mark.parametrize("by_us", [False, True], ids=["by-asterisk", "by-us"])
async def test_odd_transfers_move_nobody_and_reach_no_other_place(
    asterisk: Asterisk, bench: AsteriskBench, by_us: bool
) -> None:
    async with streams(1) as (end,), control_with(asterisk, bench, by_us=by_us) as log:
        call = bench.caller.dial("942")
        leg_id = (await log.next(LegOffered)).leg.id
        await attach(bench.control, leg_id, end)
        await bench.control.answer(leg_id)
        await can_transfer(call)
        for uri in HOSTILE:
            told = len(call.transfer_progress)
            call.refer(uri)
            assert await is_refused(call, told), uri
        await talk(end, call)
        assert [leg.id for leg in await bench.control.legs()] == [leg_id]
        assert not log.about(leg_id, [LegReplaced, LegHeld, LegLeft])
        assert not any("Local/" in name for name in await asterisk.channels())


async def is_refused(call: PhoneCall, told: int) -> bool:
    """Wait until the phone is refused what it has asked for after `told` answers."""

    async def now() -> bool:
        return any(re.match(r"SIP/2.0 [456]", line) for line in call.transfer_progress[told:])

    return await until(now)
