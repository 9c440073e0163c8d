"""What the fake offers to tests beyond the port; the contract suite holds it to the port."""

from __future__ import annotations

import asyncio
import struct

import pytest

from media_core.events import AudioEvent, DigitHeard, PeerGone
from tests.fakes.call_audio import FakeCallAudio, Played


async def collect(fake: FakeCallAudio, into: list[AudioEvent]) -> None:
    async for event in fake.events():
        into.append(event)


async def test_time_moves_only_when_the_test_says_so_and_winds_the_other_clocks() -> None:
    passed: list[int] = []
    fake = FakeCallAudio(each_frame=passed.append)
    await asyncio.sleep(0)
    assert fake.position_ms == 0
    await fake.advance(100)
    assert fake.position_ms == sum(passed) == 100
    with pytest.raises(ValueError, match="frames"):
        await fake.advance(30)


async def test_what_a_task_does_on_an_event_takes_effect_before_the_next_frame() -> None:
    fake = FakeCallAudio()

    async def yield_to_the_caller() -> None:
        async for _ in fake.events():
            fake.clear()

    fake.play(bytes(16000 * 5))
    reader = asyncio.ensure_future(yield_to_the_caller())
    fake.set_alarm(8 * 300)
    await fake.advance(1000)
    reader.cancel()
    assert fake.cleared_at == [8 * 20, 8 * 300]  # at the start of the playout, and at the alarm
    assert fake.queued_samples == 0


async def test_the_test_sees_what_the_phone_heard_and_when() -> None:
    fake = FakeCallAudio()
    await fake.advance(100)
    pcm = struct.pack("<h", 7) * 160
    fake.play(pcm)
    await fake.advance(100)
    fake.play(pcm + pcm)
    await fake.advance(100)
    assert fake.played == [Played(8 * 120, pcm), Played(8 * 220, pcm + pcm)]
    assert fake.played[1].end == 8 * 260
    assert fake.played_pcm == pcm * 3
    assert fake.heard(110, 130) == bytes(160) + pcm[:160]


async def test_keys_and_other_events_go_in_by_hand_and_peer_gone_is_the_last() -> None:
    fake = FakeCallAudio()
    seen: list[AudioEvent] = []
    reader = asyncio.ensure_future(collect(fake, seen))
    await fake.advance(100)
    fake.presses("5")
    fake.emit(PeerGone("hung up"))
    fake.presses("6")
    await fake.advance(20)
    assert reader.done()
    assert seen == [DigitHeard("5", 800), PeerGone("hung up")]
    assert fake.closed


async def test_the_callers_own_audio_comes_out_in_blocks_where_it_was_said() -> None:
    fake = FakeCallAudio()
    pcm = struct.pack("<160h", *range(160))
    fake.caller_says(70, pcm)
    await fake.advance(120)
    await fake.aclose()
    heard = b"".join([block.pcm async for block in fake.blocks()])
    assert heard == bytes(70 * 16) + pcm + bytes(30 * 16)
    with pytest.raises(ValueError, match="past"):
        fake.caller_says(60, pcm)


async def test_waiting_for_what_never_comes_fails_within_the_limit() -> None:
    fake = FakeCallAudio()
    await fake.advance_until(lambda: fake.position_ms >= 200)
    assert fake.position_ms == 200
    with pytest.raises(TimeoutError, match="500 ms"):
        await fake.advance_until(lambda: False, limit_ms=500)
