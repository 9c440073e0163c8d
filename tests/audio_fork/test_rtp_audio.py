"""RtpAudio in virtual time: what the contract suite cannot see from outside."""

from __future__ import annotations

import asyncio
import struct
import time as wall_time
import wave
from pathlib import Path

import pytest

from audio_fork.codecs import codec_named
from audio_fork.errors import NotConnectable, UnknownCodec
from audio_fork.recording import StereoRecorder
from audio_fork.rtp_audio import DEFAULT_SETTINGS, RtpAudio, RtpSettings
from media_core.events import AudioEvent, PeerGone, PlayoutStarted
from media_core.rtp import build_rtp, parse_rtp
from tests.audio_fork.connections import UdpPeer
from tests.audio_fork.virtual_time import PEER, FakeTransport, ManualTime

SLIN = codec_named("slin")


class Call:
    """An RtpAudio whose time and network belong to the test."""

    def __init__(self, settings: RtpSettings = DEFAULT_SETTINGS) -> None:
        self.time = ManualTime()
        self.network = FakeTransport(self.time)
        self.audio = RtpAudio(SLIN, self.network, self.time.playout_clock(), settings)
        self.sequence = 0

    def connect(self) -> None:
        """Start the media; position 0 is now."""
        self.audio.connect(*PEER)
        self.time.advance(20)

    def packet(self, value: int = 1000) -> bytes:
        """Make the peer's next packet."""
        payload = struct.pack(">h", value) * 160
        packet = build_rtp(10, self.sequence, self.sequence * 160, 7, payload)
        self.sequence += 1
        return packet

    def talk(self, frames: int) -> None:
        """Let the peer send so many frames on time."""
        for _ in range(frames):
            self.network.deliver(self.packet(), in_ms=15)
            self.time.advance(20)

    async def events(self) -> list[AudioEvent]:
        """Close the connection and return everything it reported."""
        await self.audio.aclose()
        return [event async for event in self.audio.events()]


def test_nothing_is_sent_before_there_is_a_peer() -> None:
    call = Call()
    call.audio.play(bytes(3200))
    call.time.advance(1000)
    assert call.network.sent == []
    assert call.audio.position == call.audio.played_samples == 0


def test_what_waited_from_before_the_connection_is_thrown_away() -> None:
    call = Call()
    for _ in range(10):
        call.network.deliver(call.packet())
    call.connect()
    assert call.audio.stats().received == 0
    call.talk(5)
    assert call.audio.stats().received == 5
    assert call.audio.stats().lost == 0


@pytest.mark.parametrize("host", ["pbx.example", "", "999.1.1.1"])
def test_a_peer_without_a_numeric_address_is_refused(host: str) -> None:
    call = Call()
    with pytest.raises(NotConnectable, match="numeric"):
        call.audio.connect(host, 4000)


async def test_a_connection_has_one_peer_and_none_after_its_end() -> None:
    call = Call()
    call.connect()
    with pytest.raises(NotConnectable):
        call.audio.connect(*PEER)
    other = Call()
    await other.audio.aclose()
    with pytest.raises(NotConnectable):
        other.audio.connect(*PEER)


async def test_an_unknown_codec_is_refused_before_a_port_is_taken() -> None:
    with pytest.raises(UnknownCodec):
        RtpAudio.open("opus")


def test_one_frame_goes_out_every_20_ms_and_none_ahead() -> None:
    call = Call()
    call.connect()
    start = call.network.sent[0][0]
    call.audio.play(bytes(16000))
    call.time.advance(500)
    assert [at - start for at, _ in call.network.sent] == pytest.approx([0.02 * n for n in range(26)])


def test_without_idle_frames_only_sound_is_sent_and_its_timestamp_follows_the_clock() -> None:
    call = Call(RtpSettings(idle_frames=False))
    call.connect()
    call.time.advance(200)
    assert call.network.sent == []
    call.audio.play(bytes(320 * 2))
    call.time.advance(400)
    call.audio.play(bytes(320))
    call.time.advance(400)
    packets = [parse_rtp(packet) for _, packet in call.network.sent]
    assert [packet.marker for packet in packets] == [True, False, True]
    assert [(packet.timestamp - packets[0].timestamp) & 0xFFFFFFFF for packet in packets] == [0, 160, 20 * 160]


def test_after_a_stall_two_frames_are_sent_and_the_clock_is_true() -> None:
    call = Call()
    call.connect()
    call.audio.play(bytes(320 * 100))
    call.time.advance(100)
    sent, played = len(call.network.sent), call.audio.played_samples
    call.time.stall(401)
    assert len(call.network.sent) - sent == 2
    assert call.audio.position == (100 + 400) * 8
    assert call.audio.played_samples - played == 320
    assert call.audio.stats().skipped_frames == 18
    before, after = (parse_rtp(call.network.sent[n][1]) for n in (sent - 1, sent))
    assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 19 * 160
    assert (after.sequence - before.sequence) & 0xFFFF == 1


def test_a_stall_of_ours_neither_loses_nor_delays_what_the_caller_said() -> None:
    call = Call()
    call.connect()
    call.talk(20)
    for n in range(30):
        call.network.deliver(call.packet(), in_ms=15 + 20 * n)
    call.time.stall(601)
    call.talk(20)
    stats = call.audio.stats()
    assert (stats.received, stats.lost, stats.late, stats.concealed) == (70, 0, 0, 0)


def test_strangers_are_dropped_and_counted() -> None:
    call = Call()
    call.connect()
    call.talk(5)
    for sender in (("192.0.2.1", 16386), ("192.0.2.9", PEER[1])):
        call.network.deliver(call.packet(), sender=sender)
    call.sequence -= 2
    call.talk(5)
    stats = call.audio.stats()
    assert (stats.strangers, stats.received, stats.lost) == (2, 10, 0)


def test_a_flood_is_taken_in_portions() -> None:
    call = Call()
    call.connect()
    for _ in range(1000):
        call.network.deliver(b"noise", sender=("192.0.2.66", 1))
    call.time.advance(20)
    assert call.audio.stats().strangers == 64


def test_garbage_and_unexpected_payloads_are_counted() -> None:
    call = Call()
    call.connect()
    call.network.deliver(b"not rtp")
    call.network.deliver(build_rtp(101, 0, 0, 7, b"\x05\x0a\x00\xa0"))
    call.time.advance(20)
    stats = call.audio.stats()
    assert (stats.garbage, stats.unexpected) == (1, 1)


async def test_keys_in_rtp_are_no_digits_because_the_pbx_reports_them_itself() -> None:
    call = Call()
    call.connect()
    for n in range(3):
        call.network.deliver(build_rtp(101, n, 0, 7, b"\x05\x8a\x03\x20"))
    call.time.advance(200)
    assert await call.events() == []


async def test_a_silent_peer_is_not_gone_by_default() -> None:
    call = Call()
    call.connect()
    call.time.advance(60_000)
    assert await call.events() == []


async def test_a_silent_peer_is_gone_after_the_configured_time_and_not_before() -> None:
    call = Call(RtpSettings(peer_timeout_ms=2000))
    call.connect()
    call.talk(100)
    call.time.advance(1900)
    sent = len(call.network.sent)
    call.time.advance(80)
    assert len(call.network.sent) == sent + 4
    call.time.advance(200)
    assert len(call.network.sent) <= sent + 6
    assert (await call.events())[-1] == PeerGone("no packet for 2000 ms")


async def test_packets_that_the_system_refuses_are_counted_and_the_call_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = Call()
    call.connect()
    call.network.refusing = True
    call.audio.play(bytes(3200))
    call.time.advance(100)
    call.network.refusing = False
    call.time.advance(100)
    assert call.audio.stats().unsent == 5
    assert call.audio.stats().sent == 6
    assert len(caplog.records) == 1


async def test_a_late_piece_of_speech_is_an_underrun() -> None:
    call = Call()
    call.connect()
    call.audio.play(bytes(320))
    call.time.advance(60)
    call.audio.play(bytes(320))
    call.time.advance(60)
    assert call.audio.stats().underruns == 1
    assert sum(isinstance(event, PlayoutStarted) for event in await call.events()) == 2


async def test_a_recording_has_both_sides_at_their_places(tmp_path: Path) -> None:
    call = Call()
    call.connect()
    recorder = StereoRecorder(tmp_path / "call.wav", 8000)
    call.audio.record_to(recorder)
    for _ in range(50):  # the caller speaks in the second half of the first second
        call.network.deliver(call.packet(0 if call.audio.position < 4000 else 5000), in_ms=19)
        call.time.advance(20)
    call.audio.play(struct.pack("<h", -5000) * 1600)
    for _ in range(50):
        call.network.deliver(call.packet(0), in_ms=19)
        call.time.advance(20)
    await call.audio.aclose()
    await recorder.aclose()
    with wave.open(str(tmp_path / "call.wav"), "rb") as wav:
        stereo = struct.unpack(f"<{wav.getnframes() * 2}h", wav.readframes(wav.getnframes()))
    left, right = stereo[0::2], stereo[1::2]
    caller = [n for n, sample in enumerate(left) if sample > 2500]
    agent = [n for n, sample in enumerate(right) if sample == -5000]
    assert (caller[0], caller[-1]) == pytest.approx((4000 - 160, 8000 - 160), abs=320)
    assert (agent[0], len(agent), agent[-1]) == (8000, 1600, 9599)


async def test_the_real_clock_and_socket_carry_sound_both_ways_on_time() -> None:
    peer = UdpPeer("ulaw")
    audio = RtpAudio.open("ulaw", port_range=range(42000, 43000))
    assert audio.local_address[1] in range(42000, 43000)
    audio.connect(*peer.address)
    audio.play(struct.pack("<h", 9000) * 8000)
    started = wall_time.monotonic()
    async with asyncio.timeout(5):
        while audio.played_samples < 8000:
            peer.say(struct.pack("<h", 5000) * 160, audio.local_address)
            await asyncio.sleep(0.02)
    elapsed_s = wall_time.monotonic() - started
    peer.collect()
    stats = audio.stats()
    await audio.aclose()
    peer.close()
    assert elapsed_s == pytest.approx(1.0, abs=0.3)
    assert stats.sent >= 50
    assert stats.received >= 30
    assert stats.garbage == stats.strangers == stats.unsent == 0
    assert len(peer.heard()) // 2 >= 8000
