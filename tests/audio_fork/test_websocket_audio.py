"""WebSocketAudio and a model of Asterisk's end in virtual time: what the contract suite cannot see from outside."""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from audio_fork.errors import BadPeer, NotConnectable, UnknownCodec
from audio_fork.media_engine import MediaEngine
from audio_fork.recording import StereoRecorder
from audio_fork.websocket_audio import AHEAD_FRAMES, IDLE_FRAMES, WebSocketAudio
from audio_fork.websocket_protocol import MediaStarted
from media_core.engine import Engine
from media_core.events import AudioEvent, MarkReached, PeerGone, PlayoutStarted
from tests.audio_fork.fake_media_leg import FakeMediaLeg
from tests.audio_fork.virtual_time import ManualTime, close_engines

FRAME = 160
RAMP = 40
"""Samples of the ramp with which cut speech ends."""


class Call:
    """A WebSocketAudio whose time and peer belong to the test."""

    def __init__(self, *, latency_ms: float = 0.0, idle_frames: bool = True, codec: str = "slin") -> None:
        self.time = ManualTime()
        self.leg = FakeMediaLeg(codec, self.time, latency_ms=latency_ms)
        self.engine = self.time.media_engine()
        self.audio = WebSocketAudio(self.engine, codec, idle_frames=idle_frames)
        self.leg.receiver = self.audio
        self.audio.begin(self.leg, self.leg.started)
        self.time.advance(20)

    @property
    def heard(self) -> list[int]:
        """First samples of the frames that the caller heard, silence left out."""
        values = [struct.unpack_from("<h", pcm)[0] for _, pcm in self.leg.handed_out]
        return [value for value in values if value]

    @property
    def heard_samples(self) -> int:
        """How many samples that are no silence the caller heard."""
        octets = b"".join(pcm for _, pcm in self.leg.handed_out)
        return sum(sample != 0 for sample in struct.unpack(f"<{len(octets) // 2}h", octets))

    async def events(self) -> list[AudioEvent]:
        """Close the connection and return everything it reported."""
        await self.audio.aclose()
        return [event async for event in self.audio.events()]


def sound(ms: int, value: int = 1000) -> bytes:
    return struct.pack("<h", value) * (ms * 8)


@pytest.fixture(autouse=True)
def _engines_are_closed() -> Iterator[None]:
    yield
    close_engines()


@pytest.fixture
def call() -> Call:
    return Call()


def test_no_more_than_a_second_is_sent_ahead_and_all_of_it_is_heard_in_order(call: Call) -> None:
    for value in range(1, 401):
        call.audio.play(sound(20, value))
    ahead = []
    for _ in range(500):
        call.time.advance(20)
        ahead.append(call.leg.queued_frames)
    assert max(ahead) <= AHEAD_FRAMES
    assert call.heard == list(range(1, 401))
    assert call.audio.stats().underruns == 0


def test_a_stall_of_ours_shorter_than_a_second_is_not_heard(call: Call) -> None:
    call.audio.play(sound(4000))
    call.time.advance(1000)
    heard = call.heard_samples
    call.leg.receiver = None
    call.engine.close()
    call.time.advance(900)
    assert call.heard_samples - heard == 900 * 8


def test_only_whole_frames_are_sent_and_a_piece_of_one_waits_for_the_rest(call: Call) -> None:
    for _ in range(40):
        call.audio.play(sound(200)[: 2 * 370])
    call.time.advance(5000)
    assert call.leg.ignored == []
    assert call.heard_samples == 40 * 370
    assert call.audio.played_samples == 40 * 370


def test_the_last_piece_is_filled_up_and_buffering_ends(call: Call) -> None:
    mark = call.audio.play(sound(50)[: 2 * 250])
    call.time.advance(200)
    assert (call.heard_samples, call.audio.played_samples) == (250, mark)
    commands = [name for name in call.leg.commands if name.endswith("BUFFERING")]
    assert commands == ["START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING"]


@pytest.mark.parametrize("latency_ms", [0.0, 4.0, 9.0, 30.0])
@pytest.mark.parametrize("after_ms", [300, 460, 1000, 1430, 2990])
def test_played_samples_are_those_that_were_heard_also_right_after_clear(latency_ms: float, after_ms: int) -> None:
    call = Call(latency_ms=latency_ms)
    call.audio.play(sound(60_000))
    call.time.advance(after_ms)
    call.audio.clear()
    counted = call.audio.played_samples
    call.time.advance(500)
    assert abs(counted + RAMP - call.heard_samples) <= FRAME
    assert abs(call.audio.played_samples - call.heard_samples) <= FRAME


@pytest.mark.parametrize("after_ms", range(200, 220, 3))
def test_messages_that_are_slow_while_a_run_begins_do_not_put_the_count_ahead(after_ms: int) -> None:
    call = Call(latency_ms=15)
    call.leg.latency_s = 0.0
    call.time.advance(500)
    call.leg.latency_s = 0.015
    call.audio.play(sound(3000))
    call.time.advance(30)
    call.leg.latency_s = 0.0
    call.time.advance(after_ms)
    call.audio.clear()
    counted = call.audio.played_samples
    call.time.advance(500)
    assert abs(counted + RAMP - call.heard_samples) <= 1, "the ramp ends with a zero, which does not count as heard"


@pytest.mark.parametrize("latency_ms", [0.0, 9.0])
def test_played_samples_follow_the_caller_within_a_frame_at_any_moment(latency_ms: float) -> None:
    call = Call(latency_ms=latency_ms)
    call.audio.play(sound(3000))
    call.time.advance(60)
    for _ in range(400):
        call.time.advance(7)
        assert abs(call.audio.played_samples - call.heard_samples) <= FRAME


def test_clear_flushes_and_the_marks_that_it_takes_are_accounted_for(call: Call) -> None:
    call.audio.play(sound(3000))
    call.time.advance(500)
    call.audio.clear()
    call.time.advance(100)
    assert call.leg.commands.count("FLUSH_MEDIA") == 2, "one for the silence before, one for clear()"
    mark = call.audio.play(sound(200))
    call.time.advance(400)
    assert call.audio.played_samples == mark
    assert call.heard_samples == pytest.approx(mark, abs=FRAME)


async def test_clear_again_and_again_while_speaking_keeps_every_count(call: Call) -> None:
    marks = []
    for _ in range(20):
        call.audio.play(sound(1000))
        call.time.advance(130)
        call.audio.clear()
        marks.append(call.audio.play(sound(40)))
        call.time.advance(210)
    assert call.audio.played_samples == marks[-1]
    assert call.heard_samples == pytest.approx(marks[-1], abs=20 * FRAME // 2)
    reached = [event.mark for event in await call.events() if isinstance(event, MarkReached)]
    assert reached == marks


async def test_clear_while_silence_is_played_sends_nothing(call: Call) -> None:
    call.time.advance(500)
    commands = list(call.leg.commands)
    call.audio.clear()
    assert call.leg.commands == commands
    assert await call.events() == []


async def test_clear_before_the_pbx_has_begun_leaves_nothing_played() -> None:
    call = Call(latency_ms=5)
    call.audio.play(sound(500))
    call.audio.clear()
    call.time.advance(500)
    assert call.audio.played_samples == call.heard_samples == 0
    assert await call.events() == []


def test_silence_keeps_coming_while_nothing_is_played(call: Call) -> None:
    call.time.advance(3000)
    assert len(call.leg.handed_out) >= 3000 // 20 - 2
    assert call.leg.queued_frames <= IDLE_FRAMES + IDLE_FRAMES // 2
    call.audio.play(sound(20, 7))
    call.time.advance(20)
    assert call.heard == [7], "speech must not wait for the silence that is queued"


def test_without_idle_frames_only_sound_is_sent() -> None:
    call = Call(idle_frames=False)
    call.time.advance(500)
    assert call.leg.handed_out == []
    call.audio.play(sound(60))
    call.time.advance(500)
    assert len(call.leg.handed_out) == 3
    assert call.audio.stats().sent == 3


def test_a_full_queue_is_respected_until_there_is_room_again(call: Call) -> None:
    call.leg.tell("MEDIA_XOFF")
    call.time.advance(20)
    sent = call.audio.stats().sent
    call.audio.play(sound(500))
    call.time.advance(500)
    assert call.audio.stats().sent == sent
    call.leg.tell("MEDIA_XON")
    call.time.advance(700)
    assert call.heard_samples == 500 * 8


def test_a_pbx_that_stands_still_stops_the_count_and_is_sent_no_more(call: Call) -> None:
    call.audio.play(sound(10_000))
    call.time.advance(500)
    call.leg.halted = True
    call.time.advance(2000)
    assert call.audio.played_samples - call.heard_samples <= 5 * FRAME
    assert call.leg.queued_frames <= AHEAD_FRAMES
    call.leg.halted = False
    call.time.advance(300)
    assert abs(call.audio.played_samples - call.heard_samples) <= FRAME


async def test_a_late_piece_of_speech_is_an_underrun(call: Call) -> None:
    call.audio.play(sound(20))
    call.time.advance(80)
    call.audio.play(sound(20))
    call.time.advance(80)
    assert call.audio.stats().underruns == 1
    assert sum(isinstance(event, PlayoutStarted) for event in await call.events()) == 2


async def test_events_tell_when_the_caller_heard_it_although_the_messages_take_their_time() -> None:
    near, far = Call(latency_ms=0), Call(latency_ms=9)
    starts = []
    for call in (near, far):
        started_s = call.time.now
        call.time.advance(500)
        call.audio.play(sound(100))
        call.time.advance(300)
        [event] = [event for event in await call.events() if isinstance(event, PlayoutStarted)]
        heard_s = next(at for at, pcm in call.leg.handed_out if any(pcm))
        starts.append(event.position - (heard_s - started_s) * 8000)
    assert starts == pytest.approx([0, 0], abs=16)


async def test_keys_in_the_media_are_no_digits_because_the_pbx_reports_them_itself(call: Call) -> None:
    call.leg.tell("DTMF_END", digit="5")
    call.time.advance(20)
    assert call.audio.stats().unexpected == 1
    assert await call.events() == []


@pytest.mark.parametrize(
    "text",
    ["", "not json", "[" * 5000, '{"event":"MEDIA_MARK_PROCESSED"}', '{"event":1}' * 3, "x" * 70_000, "\0\ud800"],
)
async def test_hostile_texts_are_counted_and_do_no_harm(call: Call, text: str) -> None:
    call.audio.play(sound(200))
    call.time.advance(60)
    for _ in range(100):
        call.audio.take_text(text)
    call.time.advance(400)
    assert call.audio.stats().garbage == 100
    assert call.audio.played_samples == call.heard_samples == 1600
    assert not any(isinstance(event, PeerGone) for event in await call.events())


def test_marks_and_answers_that_nobody_asked_for_change_nothing(call: Call) -> None:
    call.audio.play(sound(1000))
    call.time.advance(100)
    for mark_id in ("", "0", "999999", "-1", "é" * 50):
        call.leg.tell("MEDIA_MARK_PROCESSED", correlation_id=mark_id)
        call.leg.tell("STATUS")
    call.leg.tell("MEDIA_START", format="opus", optimal_frame_size=0)
    call.time.advance(100)
    assert abs(call.audio.played_samples - call.heard_samples) <= FRAME


def test_audio_of_no_whole_samples_or_endless_is_counted(call: Call) -> None:
    call.audio.take_audio(b"\1")
    call.audio.take_audio(bytes(60_000))
    call.audio.take_audio(b"")
    assert call.audio.stats().garbage == 2


async def test_faults_that_asterisk_reports_are_counted_and_logged(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    call.leg.tell("ERROR", error_text="Unable to parse JSON command")
    call.time.advance(20)
    assert call.audio.stats().garbage == 1
    assert "could not carry out" in caplog.text


async def test_the_end_of_the_connection_is_told_once(call: Call) -> None:
    call.audio.fail("the PBX closed the connection")
    call.audio.fail("again")
    call.audio.play(sound(100))
    call.time.advance(100)
    assert await call.events() == [PeerGone("the PBX closed the connection")]


async def test_what_was_handed_out_until_the_end_of_the_connection_counts_as_played(call: Call) -> None:
    call.audio.play(sound(2000))
    call.time.advance(520)
    played = call.audio.played_samples
    call.time.now += 0.04
    call.audio.fail("the PBX closed the connection")
    assert call.audio.played_samples == played + 2 * FRAME


@pytest.mark.parametrize("started", [MediaStarted("ulaw", 160), MediaStarted("slin", 640), MediaStarted("slin16", 640)])
def test_a_media_leg_of_another_codec_is_refused(started: MediaStarted) -> None:
    time = ManualTime()
    audio = WebSocketAudio(time.media_engine(), "slin")
    with pytest.raises(BadPeer, match="slin was asked for"):
        audio.begin(FakeMediaLeg("slin", time), started)


def test_an_engine_that_does_not_obey_is_no_error_of_the_media_cores() -> None:
    time = ManualTime()
    native = Engine(capacity=1, threaded=False)
    audio = WebSocketAudio(MediaEngine(native), "slin")
    native.close()
    with pytest.raises(NotConnectable, match="engine"):
        audio.begin(FakeMediaLeg("slin", time), MediaStarted("slin", 320))


async def test_a_connection_has_one_peer_and_none_after_its_end(call: Call) -> None:
    with pytest.raises(NotConnectable):
        call.audio.begin(call.leg, call.leg.started)
    other = WebSocketAudio(call.engine)
    await other.aclose()
    with pytest.raises(NotConnectable):
        await other.connect("ws://127.0.0.1:9/media/x")


def test_a_codec_that_asterisk_cannot_cut_into_frames_is_refused() -> None:
    with pytest.raises(UnknownCodec, match="slin, slin16, ulaw, alaw"):
        WebSocketAudio(ManualTime().media_engine(), "opus")


async def test_a_recording_has_both_sides_at_their_places(tmp_path: Path, call: Call) -> None:
    recorder = StereoRecorder(tmp_path / "call.wav", 8000)
    call.audio.record_to(recorder)
    for n in range(200):
        call.leg.hear_caller(sound(20, 5000 if 50 <= n < 100 else 0))
        if n == 120:
            call.audio.play(sound(200, -5000))
        call.time.advance(20)
    await call.audio.aclose()
    await recorder.aclose()
    with wave.open(str(tmp_path / "call.wav"), "rb") as wav:
        stereo = struct.unpack(f"<{wav.getnframes() * 2}h", wav.readframes(wav.getnframes()))
    caller = [n for n, sample in enumerate(stereo[0::2]) if sample > 2500]
    agent = [n for n, sample in enumerate(stereo[1::2]) if sample == -5000]
    assert (caller[0], caller[-1]) == pytest.approx((50 * FRAME, 100 * FRAME), abs=2 * FRAME)
    assert (agent[0], agent[-1]) == pytest.approx((120 * FRAME, 130 * FRAME), abs=2 * FRAME)
    assert len(agent) == 1600
