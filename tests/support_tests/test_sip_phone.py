"""The test phone against a real Asterisk: it must hear, speak and tell the time rightly before others rely on it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.asterisk import Asterisk
from tests.support.hearing import first_sound_at, heard, speech_segments
from tests.support.recording import tone
from tests.support.sip_phone import ALAW, CallFailed, SipPhone
from tests.support.speech import caller_says, require_speech

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

ECHO, RINGS, BUSY, CONGESTED = "900", "907", "905", "906"
WORDS = "I would like to know where my order is."


def phone_at(pbx: Asterisk, user: str = "+15551234", port: int = 0) -> SipPhone:
    return SipPhone(user, server=(pbx.sip_host, pbx.sip_port), port=port)


async def test_fifty_calls_hear_their_echo_at_once(pbx: Asterisk) -> None:
    require_speech()
    words = caller_says(WORDS)
    async with phone_at(pbx) as phone:
        calls = [phone.dial(ECHO) for _ in range(50)]
        await asyncio.gather(*(call.wait_answered() for call in calls))
        await asyncio.gather(*(call.say(words) for call in calls))
        await asyncio.sleep(0.2)
        for call in calls[::7]:
            assert heard(call.heard.samples(), words).correlation > 0.95
            said_at, heard_at = first_sound_at(call.said), first_sound_at(call.heard)
            assert said_at is not None
            assert heard_at is not None
            assert -0.02 < heard_at - said_at < 0.1
        assert all(call.media.packets_received > 0.9 * call.media.packets_sent for call in calls)


async def test_two_phones_talk_press_keys_change_codec_and_hold(pbx: Asterisk) -> None:
    async with phone_at(pbx, "agent1", pbx.ports.agent(1)) as one, phone_at(pbx, "agent2", pbx.ports.agent(2)) as two:
        caller = one.dial("202")
        called = await two.next_call()
        await called.answer(ring_s=0.1)
        await caller.wait_answered()
        assert 180 in caller.provisional_codes
        assert called.remote_number == "201"
        await caller.press("147*#D", duration_ms=80)
        await called.press("0")
        assert (called.keys, caller.keys) == ("147*#D", "0")
        await caller.change_codec(ALAW)
        await caller.say(tone(600, 0.4))
        assert caller.media.codec is ALAW
        assert sum(segment.length_s for segment in speech_segments(called.heard)) == pytest.approx(0.4, abs=0.05)
        await caller.hold()
        received = caller.media.packets_received
        await asyncio.sleep(0.2)
        assert caller.media.packets_received - received <= 1
        await caller.resume()
        await asyncio.sleep(0.2)
        assert caller.media.packets_received - received > 5
        await called.hangup()
        await caller.wait_ended()


async def test_sound_starts_at_the_moment_it_was_asked_for(pbx: Asterisk) -> None:
    async with phone_at(pbx) as phone:
        call = await phone.call(ECHO)
        at_s = asyncio.get_running_loop().time() + 0.5
        playback = call.play(tone(600, 0.2), at_s)
        await playback.finished.wait()
        await asyncio.sleep(0.1)
        assert playback.started_at == pytest.approx(at_s, abs=0.03)
        assert first_sound_at(call.heard) == pytest.approx(at_s, abs=0.06)


async def test_refusals_carry_their_code(pbx: Asterisk) -> None:
    async with phone_at(pbx) as phone:
        for number, code in ((BUSY, 486), (CONGESTED, 503), ("31415", 404)):
            call = phone.dial(number)
            with pytest.raises(CallFailed):
                await call.wait_answered()
            assert call.final_code == code


async def test_caller_who_gives_up_is_gone(pbx: Asterisk) -> None:
    async with phone_at(pbx) as phone:
        call = phone.dial(RINGS)
        await call.wait_ringing()
        await call.hangup()
        assert call.final_code == 487
    await pbx.wait_until_idle()


async def test_transfer_by_the_phone_reaches_the_other_phone(pbx: Asterisk) -> None:
    async with phone_at(pbx, "agent1", pbx.ports.agent(1)) as one, phone_at(pbx, "agent2", pbx.ports.agent(2)) as two:
        caller = one.dial("202")
        called = await two.next_call()
        await called.answer()
        await caller.wait_answered()
        # Asterisk refuses the transfer of a call that it has not bridged yet.
        await caller.say(tone(600, 0.2))
        assert speech_segments(called.heard)
        called.refer(f"sip:201@{pbx.sip_host}:{pbx.sip_port}")
        back = await one.next_call()
        await back.answer()
        assert any("202" in line for line in called.transfer_progress)
