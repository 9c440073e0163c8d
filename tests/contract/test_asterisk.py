"""What only a real Asterisk shows: audio both ways, nothing left behind, restarts, the dead-man timer, bad logins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ari_app import AriCallControl, AriNotLoaded, AriRest
from ari_app.backoff import Backoff
from parley.call_control import (
    AudioPeer,
    CallControl,
    CallControlError,
    ControlTaken,
    DialplanTarget,
    LegAnswered,
    LegEnded,
    LegGone,
    LegId,
    LegLeft,
    LegOffered,
    LegState,
    OriginateRequest,
    PbxConnected,
    PbxLost,
    PbxRefused,
    PbxUnavailable,
    RtpPeer,
    RtpTarget,
    SipTarget,
)
from tests.contract.asterisk_bench import AsteriskBench, connected
from tests.contract.benches import ARGUMENTS, EventLog, deaf, listening, until
from tests.contract.test_call_control import AWKWARD, NOWHERE
from tests.support.asterisk import Asterisk
from tests.support.hearing import frequency_hz, level_dbfs
from tests.support.phone_media import MediaClock, MediaStream
from tests.support.recording import Recording, tone
from tests.support.sip_phone import PhoneCall

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

LOW_HZ, MIDDLE_HZ, HIGH_HZ = 400, 700, 1100


@asynccontextmanager
async def streams(count: int) -> AsyncIterator[list[MediaStream]]:
    """Open ends for media legs, ticking every 20 ms."""
    clock = MediaClock()
    ends = [MediaStream("127.0.0.1") for _ in range(count)]
    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(clock.run())
        for end in ends:
            end.start_reading()
            clock.streams.add(end)
        try:
            yield ends
        finally:
            ticking.cancel()
            for end in ends:
                end.close()


async def attach(control: CallControl, leg_id: LegId, end: MediaStream) -> None:
    async def connect(peer: AudioPeer) -> None:
        assert isinstance(peer, RtpPeer)
        end.peer = (peer.host, peer.port)

    await control.attach_audio(leg_id, RtpTarget("127.0.0.1", end.port), connect)


async def hears(recording: Recording, frequency: float) -> bool:
    """Tell whether the last 200 ms of what was heard are this tone, waiting for it for a while."""

    async def now() -> bool:
        last = recording.samples(recording.end_s - 0.2, recording.end_s)
        return level_dbfs(last) > -30 and abs(frequency_hz(last) - frequency) < 20

    return await until(now, timeout_s=3)


async def dialled(bench: AsteriskBench, log: EventLog) -> tuple[PhoneCall, LegId]:
    call = bench.caller.dial("920")
    return call, (await log.next(LegOffered)).leg.id


async def talking(bench: AsteriskBench, log: EventLog) -> tuple[PhoneCall, LegId]:
    call, leg_id = await dialled(bench, log)
    await bench.control.answer(leg_id)
    await log.next(LegAnswered)
    await call.wait_answered()
    return call, leg_id


async def test_audio_attached_before_the_answer_flows_both_ways_after_it(bench: AsteriskBench, log: EventLog) -> None:
    async with streams(1) as (end,):
        call, leg_id = await dialled(bench, log)
        await attach(bench.control, leg_id, end)
        end.play(tone(LOW_HZ, 3))
        await bench.control.answer(leg_id)
        call.play(tone(HIGH_HZ, 3))
        assert await hears(call.heard, LOW_HZ)
        assert await hears(end.heard, HIGH_HZ)


async def test_second_attach_replaces_the_first_without_a_trace(bench: AsteriskBench, log: EventLog) -> None:
    async with streams(2) as (first, second):
        call, leg_id = await talking(bench, log)
        await attach(bench.control, leg_id, first)
        await attach(bench.control, leg_id, second)
        first.play(tone(LOW_HZ, 3))
        second.play(tone(MIDDLE_HZ, 3))
        assert await hears(call.heard, MIDDLE_HZ)
        assert len(await bench.channel_ids()) == 2
        assert len(await bench.rest.bridges()) == 1


async def test_joined_legs_hear_each_other_and_one_audio_connection_hears_both(
    bench: AsteriskBench, log: EventLog
) -> None:
    async with streams(1) as (end,):
        call, leg_id = await talking(bench, log)
        other, other_id = await talking(bench, log)
        await attach(bench.control, leg_id, end)
        await bench.control.join(leg_id, other_id)
        call.play(tone(LOW_HZ, 2))
        assert await hears(other.heard, LOW_HZ)
        assert await hears(end.heard, LOW_HZ)
        call.media.stop_playing()
        other.play(tone(HIGH_HZ, 2))
        assert await hears(call.heard, HIGH_HZ)
        assert await hears(end.heard, HIGH_HZ)


async def test_parted_legs_keep_their_own_audio_and_hear_no_other(bench: AsteriskBench, log: EventLog) -> None:
    async with streams(2) as (end, other_end):
        call, leg_id = await talking(bench, log)
        other, other_id = await talking(bench, log)
        await attach(bench.control, leg_id, end)
        await attach(bench.control, other_id, other_end)
        await bench.control.join(leg_id, other_id)
        call.play(tone(LOW_HZ, 4))
        assert await hears(other.heard, LOW_HZ)
        assert await hears(other_end.heard, LOW_HZ)
        await bench.control.part(leg_id, other_id)
        other_end.play(tone(MIDDLE_HZ, 2))
        assert await hears(other.heard, MIDDLE_HZ)
        assert await hears(end.heard, LOW_HZ)
        assert len(await bench.rest.bridges()) == 2


async def test_joined_legs_go_on_when_the_first_one_ends(bench: AsteriskBench, log: EventLog) -> None:
    async with streams(2) as (end, other_end):
        call, leg_id = await talking(bench, log)
        other, other_id = await talking(bench, log)
        await attach(bench.control, leg_id, end)
        await attach(bench.control, other_id, other_end)
        await bench.control.join(leg_id, other_id)
        await call.hangup()
        await log.next(LegEnded)
        other_end.play(tone(MIDDLE_HZ, 2))
        assert await hears(other.heard, MIDDLE_HZ)
        await other.hangup()
        assert await bench.nothing_is_left()


async def test_music_is_heard_and_our_audio_returns_after_it(bench: AsteriskBench, log: EventLog) -> None:
    async with streams(1) as (end,):
        call, leg_id = await talking(bench, log)
        await attach(bench.control, leg_id, end)
        await bench.control.hold(leg_id, music=True)

        async def received() -> bool:
            return call.media.packets_received > 20

        assert await until(received), "no music: nothing arrives although we send nothing"
        await bench.control.hold(leg_id, music=False)
        end.play(tone(MIDDLE_HZ, 2))
        assert await hears(call.heard, MIDDLE_HZ)


@pytest.mark.parametrize("after_ms", [0, 1, 2, 4, 8, 16])
async def test_caller_who_hangs_up_during_set_up_leaves_nothing(
    bench: AsteriskBench, log: EventLog, after_ms: int
) -> None:
    call, leg_id = await dialled(bench, log)
    async with asyncio.TaskGroup() as group:
        attaching = group.create_task(_attach_or_gone(bench, leg_id))
        await asyncio.sleep(after_ms / 1000)
        await call.hangup()
    assert (await log.next(LegEnded)).leg_id == leg_id
    assert attaching.result() in {"attached", "gone"}
    assert await bench.nothing_is_left()


async def _attach_or_gone(bench: AsteriskBench, leg_id: LegId) -> str:
    try:
        await bench.control.attach_audio(leg_id, NOWHERE, deaf)
    except LegGone:
        return "gone"
    return "attached"


@pytest.mark.parametrize("after_ms", [0, 1, 2, 4])
async def test_attach_that_is_cancelled_leaves_nothing_but_the_leg(
    bench: AsteriskBench, log: EventLog, after_ms: int
) -> None:
    _, leg_id = await dialled(bench, log)
    attaching = asyncio.create_task(bench.control.attach_audio(leg_id, NOWHERE, deaf))
    await asyncio.sleep(after_ms / 1000)
    attaching.cancel()
    await asyncio.wait([attaching])
    if not attaching.cancelled():
        pytest.skip(f"attached within {after_ms} ms: nothing was left to cancel")

    async def only_the_leg() -> bool:
        return await bench.channel_ids() == [leg_id] and not await bench.rest.bridges()

    assert await until(only_the_leg)


async def test_leg_that_goes_on_in_the_dialplan_takes_its_media_leg_away(bench: AsteriskBench, log: EventLog) -> None:
    call, leg_id = await talking(bench, log)
    await bench.control.attach_audio(leg_id, NOWHERE, deaf)
    await bench.control.continue_in_dialplan(leg_id, {})
    await log.next(LegLeft)

    async def only_the_leg() -> bool:
        return await bench.channel_ids() == [leg_id] and not await bench.rest.bridges()

    assert await until(only_the_leg)
    call.play(tone(LOW_HZ, 2))
    assert await hears(call.heard, LOW_HZ), "the dialplan's Echo() does not answer"


async def test_place_in_the_dialplan_takes_an_unanswered_leg(bench: AsteriskBench, log: EventLog) -> None:
    call, leg_id = await dialled(bench, log)
    await bench.control.transfer(leg_id, DialplanTarget("from-trunk", "900"))
    await call.wait_answered()
    call.play(tone(LOW_HZ, 2))
    assert await hears(call.heard, LOW_HZ)


async def test_extension_h_sees_the_variables_that_came_with_the_hangup(bench: AsteriskBench, log: EventLog) -> None:
    _, leg_id = await talking(bench, log)
    await bench.control.hangup(leg_id, variables={"PARLEY_OUTCOME": "answered, 50%"})

    async def seen() -> bool:
        return await bench.seen_by_extension_h() == "answered, 50%"

    assert await until(seen)


async def test_sip_target_redirects_a_caller_before_the_answer(bench: AsteriskBench, log: EventLog) -> None:
    call, leg_id = await dialled(bench, log)
    await bench.control.transfer(leg_id, SipTarget("sip:201@127.0.0.1:5099"))
    assert (await log.next(LegEnded)).leg_id == leg_id
    await call.wait_ended()
    assert call.final_code == 302


async def test_outbound_leg_shows_our_number_and_passes_variables_literally(
    bench: AsteriskBench, log: EventLog
) -> None:
    request = OriginateRequest(
        bench.destination, "+15550123", 'Jane "J" <Doe>\r\nX-Evil: 1', variables={"PARLEY_NOTE": AWKWARD}
    )
    leg_id = await bench.control.originate(request)
    call = (await bench.called_party()).call
    assert (call.remote_name, call.remote_number) == ("Jane J Doe X-Evil: 1", "+15550123")
    assert call.header("X-Evil") == ""
    assert await bench.rest.get_variable(leg_id, "PARLEY_NOTE") == AWKWARD


async def test_unknown_endpoint_is_refused_with_what_to_check(bench: AsteriskBench, log: EventLog) -> None:
    with pytest.raises(PbxRefused, match=r"pjsip\.conf"):
        await bench.control.originate(OriginateRequest("PJSIP/nobody"))
    assert await bench.control.legs() == []


async def test_next_process_finds_the_leg_and_takes_its_audio_over(asterisk: Asterisk, bench: AsteriskBench) -> None:
    async with listening(bench.control) as log:
        call, leg_id = await talking(bench, log)
        await bench.control.attach_audio(leg_id, NOWHERE, deaf)
    await bench.control.aclose()
    async with connected(asterisk) as second, streams(1) as (end,):
        [leg] = await second.legs()
        assert (leg.id, leg.state, leg.arguments) == (leg_id, LegState.ANSWERED, ARGUMENTS)
        await attach(second, leg_id, end)
        end.play(tone(MIDDLE_HZ, 2))
        assert await hears(call.heard, MIDDLE_HZ)
        assert len(await bench.channel_ids()) == 2, "the media leg of the first process is still there"
        await second.hangup(leg_id)
        assert await bench.nothing_is_left()


async def test_next_process_sweeps_what_has_no_party_and_leaves_other_nodes_alone(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    async with listening(bench.control) as log:
        call, leg_id = await talking(bench, log)
        await bench.control.attach_audio(leg_id, NOWHERE, deaf)
    await bench.control.aclose()
    await call.hangup()
    async with connected(asterisk, "parley-b") as neighbour, listening(neighbour) as log:
        bench.caller.dial("940")
        theirs = (await log.next(LegOffered)).leg.id
        await neighbour.attach_audio(theirs, NOWHERE, deaf)
        await bench.rest.create_bridge("site-bridge", "not ours")
        try:
            async with connected(asterisk):
                assert await until(lambda: _swept(bench)), "what the first process made has no party and stays"
                names = {bridge.name for bridge in await bench.rest.bridges()}
                assert names == {"not ours", f"parley-{theirs}"}
        finally:
            await bench.rest.delete_bridge("site-bridge")


async def _swept(bench: AsteriskBench) -> bool:
    """Tell whether only the neighbour's call, its two channels and its bridge, and the site's bridge are left."""
    return len(await bench.channel_ids()) <= 2 and len(await bench.rest.bridges()) <= 2


async def test_call_falls_back_to_extension_t_when_the_process_stops_working(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    await bench.control.aclose()
    async with connected(asterisk, dead_man_s=1.5) as control, listening(control) as log:
        call = bench.caller.dial("930")
        leg_id = (await log.next(LegOffered)).leg.id
        await control.answer(leg_id)
        await call.wait_answered()
        await asyncio.sleep(2)
        assert [leg.id for leg in await control.legs()] == [leg_id], "the timer fired although it is renewed"

    assert await _fell_back(bench, leg_id)
    call.play(tone(LOW_HZ, 2))
    assert await hears(call.heard, LOW_HZ)


async def test_next_process_that_claims_a_leg_keeps_it_from_extension_t(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    await bench.control.aclose()
    async with connected(asterisk, dead_man_s=1.5) as control, listening(control) as log:
        call = bench.caller.dial("930")
        leg_id = (await log.next(LegOffered)).leg.id
        await control.answer(leg_id)
        await call.wait_answered()
    async with connected(asterisk, dead_man_s=1.5) as control:
        await control.claim(leg_id)
        await asyncio.sleep(2)
        assert [leg.id for leg in await control.legs()] == [leg_id]
    assert await _fell_back(bench, leg_id)


async def test_next_process_hangs_up_whom_the_first_was_calling(asterisk: Asterisk, bench: AsteriskBench) -> None:
    async with connected(asterisk, "parley-b") as neighbour:
        await bench.control.originate(OriginateRequest(bench.destination))
        theirs = await neighbour.originate(OriginateRequest(bench.destination))
        await bench.called_party()
        await bench.control.aclose()
        async with connected(asterisk) as second:
            assert await until(lambda: _only(bench, theirs))
            assert await second.legs() == []
        await neighbour.hangup(theirs)
        assert await bench.nothing_is_left()


async def test_next_process_leaves_alone_whom_the_first_had_called_and_sent_on(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    async with listening(bench.control) as log:
        sent_on = await bench.control.originate(OriginateRequest(bench.destination))
        call = await bench.called_party()
        await call.answer()
        await log.next(LegAnswered)
        await bench.control.transfer(sent_on, DialplanTarget("from-trunk", "900"))
        await log.next(LegLeft)
        await bench.control.originate(OriginateRequest(bench.destination))
        await (await bench.called_party()).answer()
        await log.next(LegAnswered)
    await bench.control.aclose()
    async with connected(asterisk):
        assert await until(lambda: _only(bench, sent_on)), "nobody talks with the second one"
        call.call.play(tone(LOW_HZ, 2))
        assert await hears(call.call.heard, LOW_HZ)


async def test_local_call_of_our_own_survives_a_reconnect_and_ends_whole_in_the_next_process(
    bench: AsteriskBench, asterisk: Asterisk
) -> None:
    async with listening(bench.control) as log:
        leg_id = await bench.control.originate(OriginateRequest("Local/941@from-trunk"))
        call = await bench.called_party()
        assert f"{leg_id};2" in await bench.channel_ids()
        await log.next(PbxConnected)
        assert isinstance(bench.control, AriCallControl)
        await bench.control._connection.aclose()
        await log.next(PbxLost)
        await log.next(PbxConnected)
        await call.answer()
        assert (await log.next(LegAnswered)).leg.id == leg_id
    await bench.control.aclose()
    async with connected(asterisk):
        assert await bench.nothing_is_left()


async def _only(bench: AsteriskBench, leg_id: LegId) -> bool:
    """Tell whether of the legs that any node originates this one alone is left."""
    return [channel for channel in await bench.channel_ids() if channel.startswith("parley-leg.")] == [leg_id]


async def test_call_that_cannot_be_handed_over_falls_back_to_extension_t_while_others_go_on(
    asterisk: Asterisk, bench: AsteriskBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.control.aclose()

    async def unanswered(rest: AriRest, channel_id: str, **place: str | int) -> None:
        raise PbxUnavailable("no answer")

    async with connected(asterisk, dead_man_s=1.5) as control, listening(control) as log:
        bench.caller.dial("930")
        leg_id = (await log.next(LegOffered)).leg.id
        bench.caller.dial("930")
        other_id = (await log.next(LegOffered)).leg.id
        monkeypatch.setattr(AriRest, "continue_in_dialplan", unanswered)
        with pytest.raises(PbxUnavailable):
            await control.continue_in_dialplan(leg_id, {"PARLEY_STATUS": "TRANSFER"})
        assert (await log.next(LegLeft)).leg_id == leg_id
        assert await _fell_back(bench, leg_id)
        assert [leg.id for leg in await control.legs()] == [other_id]


async def _fell_back(bench: AsteriskBench, leg_id: LegId) -> bool:
    """Wait until extension T has taken the leg."""

    async def now() -> bool:
        try:
            return await bench.rest.get_variable(leg_id, "CONTRACT_FELL_BACK") == "yes"
        except CallControlError:
            return False

    return await until(now)


async def test_timer_does_not_follow_a_leg_into_the_dialplan(asterisk: Asterisk, bench: AsteriskBench) -> None:
    await bench.control.aclose()
    async with connected(asterisk, dead_man_s=0.5) as control, listening(control) as log:
        call = bench.caller.dial("920")
        await control.continue_in_dialplan((await log.next(LegOffered)).leg.id, {})
        await log.next(LegLeft)
        await call.wait_answered()
        await asyncio.sleep(1)
        assert not call.is_ended


async def test_second_client_with_our_name_is_told_as_a_lost_connection(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    async with listening(bench.control) as log, connected(asterisk):
        assert "another client" in (await log.next(ControlTaken)).reason
        assert "another client" in (await log.next(PbxLost)).reason


async def test_callers_can_be_given_back_after_a_second_client_took_our_name(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    await bench.control.aclose()
    retake = Backoff(first_s=1.5, cap_s=1.5)
    async with connected(asterisk, retake=retake) as control, listening(control) as log:
        call = bench.caller.dial("920")
        leg_id = (await log.next(LegOffered)).leg.id
        await control.answer(leg_id)
        await control.attach_audio(leg_id, NOWHERE, deaf)
        async with connected(asterisk):
            await log.next(ControlTaken)
            await control.continue_in_dialplan(leg_id, {})
            assert (await log.next(LegLeft)).leg_id == leg_id
            call.play(tone(LOW_HZ, 2))
            assert await hears(call.heard, LOW_HZ), "the dialplan's Echo() does not answer"
            assert await bench.channel_ids() == [leg_id]
            assert await bench.rest.bridges() == []
        await log.next(PbxConnected)
        bench.caller.dial("920")
        assert (await log.next(LegOffered)).leg.id != leg_id


async def test_wrong_password_is_refused_with_the_section_to_look_at(asterisk: Asterisk) -> None:
    control = AriCallControl(f"{asterisk.ari_url}/ari", asterisk.ari_username, "not-the-password")
    with pytest.raises(PbxRefused, match=r"\[parley\] of ari\.conf") as refused:
        await control.start()
    assert "not-the-password" not in str(refused.value)
    await control.aclose()


async def test_password_that_a_reload_changes_loses_the_connection_until_it_is_right_again(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    await bench.control.aclose()
    written = asterisk.folder / "etc" / "ari.conf"
    right = written.read_text(encoding="utf-8")
    async with connected(asterisk, login_check_s=0.2) as control, listening(control) as log:
        await log.next(PbxConnected)
        try:
            written.write_text(right.replace(asterisk.ari_password, "another"), encoding="utf-8")
            await asterisk.cli("module reload res_ari.so")
            assert "[parley] of ari.conf" in (await log.next(PbxLost)).reason
        finally:
            written.write_text(right, encoding="utf-8")
            await asterisk.cli("module reload res_ari.so")
        await log.next(PbxConnected)
        bench.caller.dial("920")
        await log.next(LegOffered)


async def test_address_without_ari_is_unavailable_with_what_to_load(asterisk: Asterisk) -> None:
    control = AriCallControl(f"{asterisk.ari_url}/elsewhere", asterisk.ari_username, asterisk.ari_password)
    with pytest.raises(AriNotLoaded, match=r"res_ari\.so"):
        await control.start()
    await control.aclose()


async def test_doctor_can_ask_for_modules(bench: AsteriskBench) -> None:
    rest: AriRest = bench.rest
    assert (await rest.asterisk_info()).major == bench.major
    module = await rest.get_module("chan_rtp.so")
    assert module is not None
    assert module.status == "Running"
    assert module in await rest.modules()
    assert await rest.get_module("res_nothing.so") is None
