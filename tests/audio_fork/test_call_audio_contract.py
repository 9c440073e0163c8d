"""What every CallAudio does: the fake that unit tests use, and every transport with a peer."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from media_core.pcm import level_dbfs
from parley.conversation.ports import (
    AlarmReached,
    AudioBlock,
    AudioEvent,
    MarkReached,
    PlayoutStarted,
    SpeechStarted,
    SpeechStopped,
)
from tests.audio_fork.connections import (
    AudioSocketConnection,
    Connection,
    FakeConnection,
    RtpConnection,
    WebSocketConnection,
)
from tests.fakes.call_audio import settle

AUDIBLE_DBFS = -40.0


CONNECTIONS = (
    *("fake", "rtp ulaw", "rtp alaw", "rtp slin", "rtp g722"),
    *("audiosocket slin", "audiosocket slin16"),
    *("websocket ulaw", "websocket alaw", "websocket slin", "websocket slin16"),
)


@pytest.fixture(params=CONNECTIONS)
async def call(request: pytest.FixtureRequest) -> AsyncIterator[Connection]:
    connection = await connected(request.param)
    yield connection
    await connection.aclose()


async def connected(kind: str) -> Connection:
    transport, _, codec = kind.rpartition(" ")
    match transport:
        case "rtp":
            return RtpConnection(codec)
        case "audiosocket":
            connection = AudioSocketConnection(codec)
            await connection.open()
            return connection
        case "websocket":
            return WebSocketConnection(codec)
        case _:
            return FakeConnection()


class Events:
    """Everything that the connection has reported so far."""

    def __init__(self, call: Connection) -> None:
        self.seen: list[AudioEvent] = []
        self.ended = False
        self._task = asyncio.ensure_future(self._collect(call))

    async def _collect(self, call: Connection) -> None:
        async for event in call.audio.events():
            self.seen.append(event)
        self.ended = True

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


@pytest.fixture
async def events(call: Connection) -> AsyncIterator[Events]:
    collector = Events(call)
    await settle()
    yield collector
    await collector.stop()


def sound(call: Connection, ms: int) -> bytes:
    """Make a loud sound of this length."""
    half_period = call.audio.rate_hz // 400
    period = struct.pack("<h", 12000) * half_period + struct.pack("<h", -12000) * half_period
    size = samples(call, ms) * 2
    return (period * (size // len(period) + 1))[:size]


def samples(call: Connection, ms: int) -> int:
    return ms * call.audio.rate_hz // 1000


def audible(call: Connection, pcm: bytes) -> list[bool]:
    """Say for each 5 ms whether something is heard."""
    size = samples(call, 5) * 2
    return [level_dbfs(pcm[at : at + size]) > AUDIBLE_DBFS for at in range(0, len(pcm), size)]


def audible_ms(call: Connection) -> int:
    """Return for how long anything has been heard at the phone."""
    return 5 * sum(audible(call, call.heard()))


async def test_the_session_clock_advances_with_time(call: Connection) -> None:
    before = call.audio.position
    await call.advance(1000)
    assert call.audio.position - before == samples(call, 1000)


async def test_what_is_played_is_heard_once_and_counted(call: Connection) -> None:
    await call.advance(100)
    call.audio.play(sound(call, 100))
    call.audio.play(sound(call, 100))
    await call.advance(500)
    assert call.audio.played_samples == samples(call, 200)
    assert audible_ms(call) == pytest.approx(200, abs=5)


async def test_idle_silence_is_not_counted_as_played(call: Connection) -> None:
    await call.advance(500)
    assert call.audio.played_samples == 0
    assert audible_ms(call) == 0


async def test_marks_are_reached_in_order_where_their_audio_ends(call: Connection, events: Events) -> None:
    await call.advance(100)
    first = call.audio.play(sound(call, 50))
    second = call.audio.play(sound(call, 90))
    assert (first, second) == (samples(call, 50), samples(call, 140))
    await call.advance(300)
    started = [event for event in events.seen if isinstance(event, PlayoutStarted)]
    reached = [event for event in events.seen if isinstance(event, MarkReached)]
    assert len(started) == 1
    assert events.seen.index(started[0]) < events.seen.index(reached[0])
    assert [event.mark for event in reached] == [first, second]
    assert [event.position - started[0].position for event in reached] == [first, second]


async def test_playout_starts_where_the_phone_hears_the_first_sample(call: Connection, events: Events) -> None:
    await call.advance(200)
    call.audio.play(sound(call, 60))
    await call.advance(400)
    call.audio.play(sound(call, 60))
    await call.advance(400)
    starts = [event.position for event in events.seen if isinstance(event, PlayoutStarted)]
    heard = audible(call, call.heard())
    edges = [n for n in range(1, len(heard)) if heard[n] and not heard[n - 1]]
    assert len(starts) == len(edges) == 2
    assert starts == pytest.approx([samples(call, 5 * edge) for edge in edges], abs=samples(call, 5))


async def test_sound_queued_in_time_goes_out_within_one_frame(call: Connection, events: Events) -> None:
    await call.advance(100)
    asked_at = call.audio.position
    call.audio.play(sound(call, 60))
    await call.advance(40)
    started = next(event for event in events.seen if isinstance(event, PlayoutStarted))
    assert started.position - asked_at <= samples(call, 20)


async def test_clear_silences_the_phone_within_40_ms_and_the_count_stays_true(call: Connection) -> None:
    call.audio.play(sound(call, 2000))
    await call.advance(500)
    played = call.audio.played_samples
    cleared_at = call.audio.position
    call.audio.clear()
    await call.advance(500)
    heard = call.heard()
    assert audible(call, heard[: cleared_at * 2])[-1]
    assert not any(audible(call, heard[(cleared_at + samples(call, 40)) * 2 :]))
    assert 0 <= call.audio.played_samples - played <= samples(call, 5)
    assert audible_ms(call) == pytest.approx(call.audio.played_samples * 1000 // call.audio.rate_hz, abs=10)


async def test_marks_dropped_by_clear_are_never_reported_and_later_ones_are(call: Connection, events: Events) -> None:
    kept = call.audio.play(sound(call, 100))
    call.audio.play(sound(call, 1000))
    await call.advance(300)
    call.audio.clear()
    await call.advance(200)
    later = call.audio.play(sound(call, 60))
    assert later == call.audio.played_samples + samples(call, 60)
    await call.advance(2000)
    assert [event.mark for event in events.seen if isinstance(event, MarkReached)] == [kept, later]
    assert call.audio.played_samples == later


async def test_what_is_played_right_after_clear_starts_anew(call: Connection, events: Events) -> None:
    call.audio.play(sound(call, 1000))
    await call.advance(300)
    call.audio.clear()
    mark = call.audio.play(sound(call, 100))
    await call.advance(300)
    assert sum(isinstance(event, PlayoutStarted) for event in events.seen) == 2
    assert [event.mark for event in events.seen if isinstance(event, MarkReached)] == [mark]
    assert call.audio.played_samples == mark


async def test_clear_with_nothing_queued_does_nothing(call: Connection, events: Events) -> None:
    await call.advance(100)
    call.audio.clear()
    await call.advance(100)
    assert events.seen == []
    assert call.audio.played_samples == 0


async def test_half_a_sample_is_refused(call: Connection) -> None:
    with pytest.raises(ValueError, match="even"):
        call.audio.play(b"\0")


async def test_an_alarm_is_reached_once_and_on_time(call: Connection, events: Events) -> None:
    await call.advance(100)
    alarm = call.audio.position + samples(call, 200)
    call.audio.set_alarm(alarm)
    await call.advance(180)
    assert events.seen == []
    await call.advance(20)
    assert events.seen == [AlarmReached(alarm)]
    await call.advance(500)
    assert events.seen == [AlarmReached(alarm)]


async def test_an_alarm_replaces_the_one_before(call: Connection, events: Events) -> None:
    call.audio.set_alarm(samples(call, 200))
    call.audio.set_alarm(samples(call, 400))
    await call.advance(1000)
    assert events.seen == [AlarmReached(samples(call, 400))]


async def test_an_alarm_in_the_past_comes_at_once(call: Connection, events: Events) -> None:
    await call.advance(100)
    call.audio.set_alarm(samples(call, 20))
    await settle()
    assert events.seen == [AlarmReached(samples(call, 20))]


async def test_the_callers_speech_is_reported_where_it_began_and_ended(call: Connection, events: Events) -> None:
    call.caller_speaks(500, 1100)
    call.caller_speaks(2000, 2500)
    await call.advance(3500)
    assert [type(event) for event in events.seen] == [SpeechStarted, SpeechStopped] * 2
    edges = [event.position for event in events.seen if isinstance(event, SpeechStarted | SpeechStopped)]
    expected = [samples(call, ms) for ms in (500, 1100, 2000, 2500)]
    assert edges == pytest.approx(expected, abs=samples(call, 40))


async def test_speech_is_reported_early_enough_to_yield(call: Connection, events: Events) -> None:
    call.caller_speaks(500, 1500)
    await call.advance(500 + 140)
    assert [type(event) for event in events.seen] == [SpeechStarted]


async def test_silence_is_not_speech(call: Connection, events: Events) -> None:
    await call.advance(3000)
    assert events.seen == []


async def test_blocks_follow_each_other_without_a_hole_and_hold_what_the_caller_said(call: Connection) -> None:
    call.caller_speaks(500, 800)
    blocks: list[AudioBlock] = []

    async def read() -> None:
        async for block in call.audio.blocks():
            blocks.append(block)

    reader = asyncio.ensure_future(read())
    await call.advance(1500)
    await call.aclose()
    await settle()
    assert reader.done()
    assert blocks[0].position == 0
    assert all(samples(call, 60) <= len(block.pcm) // 2 <= samples(call, 100) for block in blocks)
    assert all(b.position == a.position + len(a.pcm) // 2 for a, b in pairwise(blocks))
    assert call.audio.position - blocks[-1].position <= samples(call, 180)
    heard = audible(call, b"".join(block.pcm for block in blocks))
    assert 5 * heard.index(True) == pytest.approx(500, abs=20)
    assert 5 * sum(heard) == pytest.approx(300, abs=20)


async def test_a_reader_of_blocks_that_lags_loses_the_oldest(call: Connection) -> None:
    blocks = call.audio.blocks()
    await call.advance(200)
    assert (await anext(blocks)).position <= samples(call, 60)
    await call.advance(3000)
    await call.aclose()
    late = [block async for block in blocks]
    assert sum(len(block.pcm) // 2 for block in late) <= samples(call, 200)
    assert call.audio.position - late[-1].position <= samples(call, 180)


async def test_closing_ends_both_streams_and_may_be_done_twice(call: Connection, events: Events) -> None:
    await call.advance(100)
    await call.audio.aclose()
    await call.audio.aclose()
    await settle()
    assert events.ended
    async with asyncio.timeout(1):
        async for _ in call.audio.blocks():
            pass


async def test_after_closing_nothing_more_is_played(call: Connection) -> None:
    call.audio.play(sound(call, 1000))
    await call.advance(200)
    played = call.audio.played_samples
    await call.audio.aclose()
    call.audio.play(sound(call, 1000))
    call.audio.clear()
    await call.advance(500)
    assert call.audio.played_samples == played
