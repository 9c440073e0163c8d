"""RtpAudio on an engine in virtual time: what the contract suite cannot see from outside."""

from __future__ import annotations

import asyncio
import struct
import time as wall_time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from audio_fork import rtp_engine
from audio_fork.errors import BadAudio, NoFreePort, NotConnectable, TooManyCalls, UnknownCodec
from audio_fork.media_engine import EngineCall
from audio_fork.recording import StereoRecorder
from audio_fork.rtp_audio import DEFAULT_SETTINGS, RtpAudio, RtpSettings
from audio_fork.rtp_engine import RtpEngine
from audio_fork.sockets import Address, bind_udp
from media_core.engine_events import EventKind
from media_core.events import AlarmReached, AudioBlock, AudioEvent, MarkReached, PeerGone, PlayoutStarted
from media_core.rtp import build_rtp
from tests.audio_fork.virtual_time import ManualTime
from tests.fakes.call_audio import settle
from tests.media_core.engine_call import Phone

TONE = struct.pack("<h", 5000)


class Call:
    """An RtpAudio and the phone at its other end."""

    def __init__(self, place: Place, settings: RtpSettings = DEFAULT_SETTINGS) -> None:
        self.time = place.time
        self.phone = Phone("slin")
        self.audio = RtpAudio(place.engine, "slin", settings)
        place.calls.append(self)

    def connect(self) -> None:
        """Start the media; position 0 is now."""
        self.audio.connect(*self.phone.address)
        self.time.advance(20)

    def talk(self, frames: int, pcm: bytes = TONE * 160) -> None:
        """Let the phone send so many frames on time."""
        for _ in range(frames):
            self.time.advance(15)
            self.phone.say(pcm, self.audio.local_address)
            self.time.advance(5)

    async def events(self) -> list[AudioEvent]:
        """Close the connection and return everything it reported."""
        await self.audio.aclose()
        return [event async for event in self.audio.events()]


class Place:
    """An engine, its time, and the calls on it."""

    def __init__(self) -> None:
        self.time = ManualTime()
        self.engine: RtpEngine = self.time.rtp_engine()
        self.calls: list[Call] = []

    def call(self, settings: RtpSettings = DEFAULT_SETTINGS) -> Call:
        return Call(self, settings)

    def close(self) -> None:
        self.engine.close()
        for call in self.calls:
            call.phone.close()


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    place.close()


@pytest.fixture
def call(place: Place) -> Call:
    return place.call()


def test_nothing_is_sent_before_there_is_a_peer(call: Call) -> None:
    call.audio.play(bytes(3200))
    call.time.advance(1000)
    assert call.phone.collect() == []
    assert call.audio.position == call.audio.played_samples == 0


def test_what_came_before_the_connection_is_nobodys(call: Call) -> None:
    for _ in range(10):
        call.phone.say(TONE * 160, call.audio.local_address)
    call.time.advance(20)
    call.connect()
    assert call.audio.stats().received == 0
    call.talk(5)
    assert (call.audio.stats().received, call.audio.stats().lost) == (5, 0)


@pytest.mark.parametrize("host", ["pbx.example", "", "999.1.1.1"])
def test_a_peer_without_a_numeric_address_is_refused(call: Call, host: str) -> None:
    with pytest.raises(NotConnectable, match="numeric"):
        call.audio.connect(host, 4000)


async def test_a_connection_has_one_peer_and_none_after_its_end(place: Place, call: Call) -> None:
    call.connect()
    with pytest.raises(NotConnectable):
        call.audio.connect(*call.phone.address)
    other = place.call()
    await other.audio.aclose()
    with pytest.raises(NotConnectable):
        other.audio.connect(*other.phone.address)


def test_an_unknown_codec_is_refused_before_a_place_is_taken(place: Place) -> None:
    with pytest.raises(UnknownCodec):
        RtpAudio(place.engine, "opus")
    assert place.engine.stats().sessions == 0


async def test_beyond_the_engines_capacity_calls_are_refused_until_others_end(place: Place) -> None:
    calls = [place.call() for _ in range(4)]
    with pytest.raises(TooManyCalls):
        RtpAudio(place.engine, "slin", RtpSettings(own_port=True))
    await calls[0].audio.aclose()
    place.call()


async def test_an_address_that_the_pbx_gives_to_another_leg_is_that_legs(place: Place) -> None:
    before, after = place.call(), place.call()
    before.connect()
    after.audio.connect(*before.phone.address)
    place.time.advance(20)
    before.talk(5)
    assert (await before.events())[-1] == PeerGone("the PBX gave its address to another call")
    assert after.audio.stats().received == 5


async def test_an_address_is_the_same_however_it_is_spelt(place: Place) -> None:
    before, after = place.call(), place.call()
    before.connect()
    host, port = before.phone.address
    after.audio.connect(f"::ffff:{host}", port)
    assert (await before.events())[-1] == PeerGone("the PBX gave its address to another call")


async def test_an_address_is_given_to_a_call_on_another_engine_as_well(place: Place) -> None:
    by_peer: dict[Address, EngineCall] = {}
    first, second = (RtpEngine.open(by_peer=by_peer) for _ in range(2))
    before, after = RtpAudio(first, "slin"), RtpAudio(second, "slin")
    before.connect("127.0.0.1", 9)
    after.connect("127.0.0.1", 9)
    assert [event async for event in before.events()][-1] == PeerGone("the PBX gave its address to another call")
    await after.aclose()
    assert by_peer == {}
    first.close()
    second.close()


async def test_calls_with_ports_of_their_own_may_have_the_same_peer(place: Place) -> None:
    first, second = (place.call(RtpSettings(own_port=True)) for _ in range(2))
    for call in (first, second):
        call.audio.connect(*first.phone.address)
    place.time.advance(20)
    first.talk(5)
    assert (first.audio.stats().received, second.audio.stats().received) == (5, 0)
    for call in (first, second):
        assert PeerGone not in {type(event) for event in await call.events()}


async def test_a_port_of_ones_own_is_free_again_when_the_call_is_closed() -> None:
    engine = RtpEngine.open()
    audio = RtpAudio(engine, "slin", RtpSettings(own_port=True))
    audio.connect("127.0.0.1", 9)
    host, port = audio.local_address
    await audio.aclose()
    async with asyncio.timeout(2):
        while True:
            try:
                bind_udp(host, range(port, port + 1)).close()
            except NoFreePort:
                await asyncio.sleep(0.005)
            else:
                break
    engine.close()


def test_a_call_may_have_a_port_of_its_own(place: Place) -> None:
    own, shared = place.call(RtpSettings(own_port=True)), place.call()
    assert own.audio.local_address != shared.audio.local_address
    for call in (own, shared):
        call.connect()
        call.talk(5)
        assert call.audio.stats().received == 5
    stranger = Phone("slin")
    stranger.say(TONE * 160, own.audio.local_address)
    stranger.close()
    place.time.advance(20)
    assert own.audio.stats().strangers == 1


async def test_pieces_beyond_the_engines_places_wait_and_their_marks_are_true(call: Call) -> None:
    call.connect()
    marks = [call.audio.play(TONE * 40) for _ in range(200)]
    assert marks == [40 * (n + 1) for n in range(200)]
    call.time.advance(2000)
    reached = [event for event in await call.events() if isinstance(event, MarkReached)]
    assert [event.mark for event in reached] == marks
    assert call.audio.played_samples == 8000


async def test_clear_drops_what_waits_as_well(call: Call) -> None:
    call.connect()
    for _ in range(200):
        call.audio.play(TONE * 160)
    call.time.advance(100)
    played = call.audio.played_samples
    call.audio.clear()
    mark = call.audio.play(TONE * 160)
    assert mark == played + 40 + 160
    call.time.advance(1000)
    assert call.audio.played_samples == mark
    assert [event.mark for event in await call.events() if isinstance(event, MarkReached)][-1] == mark


def test_more_than_300_s_of_audio_are_refused(call: Call) -> None:
    call.audio.play(bytes(2 * 8000 * 200))
    with pytest.raises(BadAudio, match="300 s"):
        call.audio.play(bytes(2 * 8000 * 101))
    call.audio.play(bytes(2 * 8000 * 100))


def test_after_a_stall_two_frames_are_sent_and_the_clock_is_true(call: Call) -> None:
    call.connect()
    call.audio.play(bytes(320 * 100))
    call.time.advance(100)
    sent, played = len(call.phone.collect()), call.audio.played_samples
    call.time.stall(401)
    assert len(call.phone.collect()) == 2
    assert call.audio.position == (100 + 400) * 8
    assert call.audio.played_samples - played == 320
    assert call.audio.stats().skipped_frames == 18
    before, after = call.phone.packets[sent - 1 : sent + 1]
    assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 19 * 160
    assert (after.sequence - before.sequence) & 0xFFFF == 1


def test_strangers_are_dropped_and_counted_by_the_engine(place: Place, call: Call) -> None:
    call.connect()
    stranger = Phone("slin")
    for _ in range(5):
        stranger.say(TONE * 160, call.audio.local_address)
        call.talk(1)
    stranger.close()
    assert (place.engine.stats().strangers, call.audio.stats().received) == (5, 5)


def test_garbage_and_unexpected_payloads_are_counted(call: Call) -> None:
    call.connect()
    call.phone.send(b"not rtp", call.audio.local_address)
    call.phone.send(build_rtp(101, 0, 0, 7, b"\x05\x0a\x00\xa0"), call.audio.local_address)
    call.time.advance(20)
    stats = call.audio.stats()
    assert (stats.garbage, stats.unexpected) == (1, 1)


async def test_keys_in_rtp_are_no_digits_because_the_pbx_reports_them_itself(call: Call) -> None:
    call.connect()
    for n in range(3):
        call.phone.send(build_rtp(101, n, 0, 7, b"\x05\x8a\x03\x20"), call.audio.local_address)
    call.time.advance(200)
    assert await call.events() == []


async def test_a_silent_peer_is_not_gone_by_default(call: Call) -> None:
    call.connect()
    call.time.advance(60_000)
    assert await call.events() == []


def test_how_long_the_peer_has_been_silent_can_be_asked(call: Call) -> None:
    call.connect()
    call.time.advance(2000)
    assert call.audio.peer_silent_ms == 2000
    call.phone.say(TONE * 160, call.audio.local_address)
    call.time.advance(100)
    assert 80 <= call.audio.peer_silent_ms <= 120


async def test_a_silent_peer_is_gone_after_the_configured_time_and_not_before(place: Place) -> None:
    call = place.call(RtpSettings(peer_timeout_ms=2000))
    call.connect()
    call.talk(100)
    call.phone.collect()
    call.time.advance(1900)
    assert len(call.phone.collect()) == 95
    call.time.advance(80)
    assert len(call.phone.collect()) == 4
    call.time.advance(200)
    assert len(call.phone.collect()) <= 2
    assert (await call.events())[-1] == PeerGone("no packet for 2000 ms")


async def test_a_late_piece_of_speech_is_an_underrun(call: Call) -> None:
    call.connect()
    call.audio.play(bytes(320))
    call.time.advance(60)
    call.audio.play(bytes(320))
    call.time.advance(60)
    assert call.audio.stats().underruns == 1
    assert sum(isinstance(event, PlayoutStarted) for event in await call.events()) == 2


async def test_an_alarm_that_was_replaced_does_not_ring_though_the_engine_has_told_it(call: Call) -> None:
    call.connect()
    call.audio.set_alarm(800)
    call.audio.set_alarm(1600)
    call.audio.take(EventKind.ALARM_REACHED, 800, 0, 0)
    assert await call.events() == []


async def test_a_reader_that_comes_late_finds_the_newest_blocks(call: Call) -> None:
    call.connect()
    call.talk(100)
    await call.audio.aclose()
    blocks = [block async for block in call.audio.blocks()]
    assert all(isinstance(block, AudioBlock) and len(block.pcm) == 960 for block in blocks)
    assert len(blocks) == 3
    assert blocks[-1].position >= 98 * 160 - 480 - 320


async def test_a_call_whose_handling_fails_is_given_up_and_the_others_go_on(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty, good = place.call(), place.call()
    faulty.connect()
    good.connect()

    def break_down(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(faulty.audio, "take", break_down)
    for call in (faulty, good):
        call.audio.play(bytes(320))
    place.time.advance(100)
    assert (await faulty.events())[-1] == PeerGone("internal error")
    assert any(isinstance(event, MarkReached) for event in await good.events())
    assert [record.message for record in caplog.records] == ["a call's audio failed and is given up"]


async def test_counts_and_positions_stay_after_the_end(call: Call) -> None:
    call.connect()
    call.audio.play(bytes(3200))
    call.talk(20)
    await call.audio.aclose()
    stats = call.audio.stats()
    assert (stats.received, call.audio.played_samples, call.audio.position) == (20, 1600, 20 * 160)
    call.audio.set_alarm(5)
    call.audio.record_to(None)
    assert call.audio.play(bytes(320)) == 1760
    assert call.audio.stats() == stats


async def test_a_recording_has_both_sides_at_their_places(call: Call, tmp_path: Path) -> None:
    call.connect()
    recorder = StereoRecorder(tmp_path / "call.wav", 8000)
    call.audio.record_to(recorder)
    for number in range(100):  # the caller speaks in the second half of the first second
        if number == 50:
            call.audio.play(struct.pack("<h", -5000) * 1600)
        call.talk(1, (TONE if 25 <= number < 50 else b"\0\0") * 160)
        if number % 10 == 0:
            await settle()
    await call.audio.aclose()
    await recorder.aclose()
    with wave.open(str(tmp_path / "call.wav"), "rb") as wav:
        stereo = struct.unpack(f"<{wav.getnframes() * 2}h", wav.readframes(wav.getnframes()))
    left, right = stereo[0::2], stereo[1::2]
    caller = [n for n, sample in enumerate(left) if sample > 2500]
    agent = [n for n, sample in enumerate(right) if sample == -5000]
    assert (caller[0], caller[-1]) == pytest.approx((4000 - 160, 8000 - 160), abs=320)
    assert (agent[0], len(agent), agent[-1]) == (8000, 1600, 9599)
    assert len(left) == 100 * 160


async def test_an_alarm_in_the_past_rings_at_once(call: Call) -> None:
    call.connect()
    call.time.advance(100)
    call.audio.set_alarm(10)
    assert await call.events() == [AlarmReached(10)]


@pytest.mark.parametrize("threaded", [True, False])
async def test_the_real_clock_and_socket_carry_sound_both_ways_on_time(threaded: bool) -> None:
    engine = RtpEngine.open(ports=range(42000, 43000), threaded=threaded)
    phone = Phone("ulaw")
    audio = RtpAudio(engine, "ulaw")
    assert audio.local_address[1] in range(42000, 43000)
    audio.connect(*phone.address)
    audio.play(struct.pack("<h", 9000) * 8000)
    started = wall_time.monotonic()
    async with asyncio.timeout(5):
        while audio.played_samples < 8000:
            phone.say(TONE * 160, audio.local_address)
            await asyncio.sleep(0.02)
    elapsed_s = wall_time.monotonic() - started
    await audio.aclose()
    stats = audio.stats()
    engine.close()
    assert elapsed_s == pytest.approx(1.0, abs=0.3)
    assert stats.sent >= 49
    assert stats.received >= 30
    assert stats.garbage == stats.strangers == stats.unsent == 0
    assert len(phone.heard()) // 2 >= 8000
    phone.close()


async def test_a_port_that_cannot_hold_a_packet_of_each_call_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    RtpEngine.open().close()
    assert caplog.records == []
    monkeypatch.setattr(rtp_engine, "PACKET_OCTETS", 1 << 26)
    RtpEngine.open().close()
    [record] = caplog.records
    assert "raise net.core.rmem_max" in record.getMessage()


async def test_a_recording_on_the_thread_is_whole_when_the_call_is_closed(tmp_path: Path) -> None:
    engine = RtpEngine.open()
    phone = Phone("ulaw")
    audio = RtpAudio(engine, "ulaw")
    recorder = StereoRecorder(tmp_path / "call.wav", 8000)
    audio.record_to(recorder)
    audio.connect(*phone.address)
    mark = audio.play(struct.pack("<h", -5000) * 1600)
    async with asyncio.timeout(5):
        async for event in audio.events():
            if isinstance(event, MarkReached):
                assert event.mark == mark
                break
    await audio.aclose()
    await recorder.aclose()
    engine.close()
    phone.close()
    with wave.open(str(tmp_path / "call.wav"), "rb") as wav:
        stereo = struct.unpack(f"<{wav.getnframes() * 2}h", wav.readframes(wav.getnframes()))
    assert sum(-5200 < sample < -4800 for sample in stereo[1::2]) == 1600
