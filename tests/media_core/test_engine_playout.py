"""What goes out to the caller: marks, clear, prompts by reference, back-pressure, underruns."""

from __future__ import annotations

import gc
import random
import struct
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_fork.playout import PlayoutQueue
from media_core.engine_events import EventKind
from media_core.errors import FrameSizeError, PlayoutFull, RateError
from media_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from media_core.prompt import Prompt
from tests.media_core.engine_call import Bench, square


def ramp(samples: int, start: int = 1) -> bytes:
    """Make PCM whose samples can all be told apart."""
    return struct.pack(f"<{samples}h", *range(start, start + samples))


def test_marks_and_starts_are_where_the_audio_is(bench: Bench) -> None:
    session, _ = bench.call()
    bench.pass_frames(5)
    marks = [session.play(square(50)), session.play(b""), session.play(square(90))]
    assert marks == [400, 400, 1120]
    assert session.queued_samples == 1120
    bench.pass_frames(10)
    [start] = bench.of_kind(EventKind.PLAYOUT_STARTED)
    reached = bench.of_kind(EventKind.MARK_REACHED)
    assert start.position == 5 * 160
    assert [(event.value, event.position - start.position) for event in reached] == [(mark, mark) for mark in marks]
    assert bench.seen.index(start) < bench.seen.index(reached[0])
    assert session.played_samples == 1120
    assert session.queued_samples == 0


def test_pieces_follow_each_other_without_a_seam(bench: Bench) -> None:
    session, phone = bench.call("slin")
    lengths = [1, 2, 3, 157, 160, 1, 0, 319, 481, 5]
    start = 1
    for length in lengths:
        session.play(ramp(length, start))
        start += length
    bench.pass_frames(10)
    assert phone.heard()[: 2 * sum(lengths)] == ramp(sum(lengths))
    assert not any(phone.heard()[2 * sum(lengths) :])


def test_one_frame_goes_out_every_20_ms_with_marker_sequence_and_timestamp(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    session.play(square(100))
    bench.pass_frames(25)
    packets = phone.collect()
    assert [packet.marker for packet in packets] == [True] + [False] * 24
    assert [(packet.sequence - packets[0].sequence) & 0xFFFF for packet in packets] == list(range(25))
    assert [(packet.timestamp - packets[0].timestamp) & 0xFFFFFFFF for packet in packets] == [
        160 * n for n in range(25)
    ]
    assert len({packet.ssrc for packet in packets}) == 1
    assert all(packet.payload == b"\xff" * 160 for packet in packets[5:])


@pytest.mark.parametrize("codec", ["ulaw", "alaw", "slin", "g722"])
def test_idle_silence_is_silent_in_every_codec(bench: Bench, codec: str) -> None:
    _, phone = bench.call(codec)
    bench.pass_frames(10)
    assert max(abs(value) for value in memoryview(phone.heard()).cast("h")) <= 8


def test_without_idle_frames_only_sound_is_sent_and_its_timestamp_follows_the_clock(bench: Bench) -> None:
    session, phone = bench.call(idle_frames=False)
    bench.pass_frames(10)
    assert phone.collect() == []
    session.play(square(40))
    bench.pass_frames(20)
    session.play(square(20))
    bench.pass_frames(20)
    packets = phone.collect()
    assert [packet.marker for packet in packets] == [True, False, True]
    assert [(packet.timestamp - packets[0].timestamp) & 0xFFFFFFFF for packet in packets] == [0, 160, 20 * 160]
    assert [(packet.sequence - packets[0].sequence) & 0xFFFF for packet in packets] == [0, 1, 2]


def test_clear_fades_out_within_5_ms_and_the_count_stays_true(bench: Bench) -> None:
    session, phone = bench.call("slin")
    session.play(struct.pack("<h", 10000) * 8000)
    bench.pass_frames(10)
    session.clear()
    assert session.queued_samples == 40
    bench.pass_frames(10)
    heard = struct.unpack(f"<{20 * 160}h", phone.heard())
    assert set(heard[:1600]) == {10000}
    fade = heard[1600:1640]
    assert list(fade) == sorted(fade, reverse=True)
    assert 9000 < fade[0] < 10000
    assert max(abs(a - b) for a, b in pairwise(heard)) <= 300  # no click
    assert not any(heard[1640:])
    assert session.played_samples == 1640
    assert bench.of_kind(EventKind.MARK_REACHED) == []


def test_what_is_played_right_after_clear_starts_behind_the_fade(bench: Bench) -> None:
    session, phone = bench.call("slin")
    session.play(struct.pack("<h", 10000) * 8000)
    bench.pass_frames(2)
    session.clear()
    mark = session.play(struct.pack("<h", -5000) * 160)
    assert mark == 320 + 40 + 160
    bench.pass_frames(3)
    starts = bench.of_kind(EventKind.PLAYOUT_STARTED)
    assert [event.position for event in starts] == [0, 2 * 160 + 40]
    [reached] = bench.of_kind(EventKind.MARK_REACHED)
    assert (reached.value, reached.position) == (mark, 3 * 160 + 40)
    heard = struct.unpack("<800h", phone.heard())
    assert set(heard[360:520]) == {-5000}
    assert not any(heard[520:])
    assert session.stats().underruns == 0


def test_clearing_twice_before_a_frame_is_clearing_once(bench: Bench) -> None:
    session, _ = bench.call("slin")
    session.play(square(1000))
    bench.pass_frames(2)
    session.clear()
    session.play(square(500))
    session.clear()
    session.clear()
    assert session.queued_samples == 40
    mark = session.play(square(20))
    bench.pass_frames(3)
    assert session.played_samples == mark == 320 + 40 + 160
    assert [event.value for event in bench.of_kind(EventKind.MARK_REACHED)] == [mark]


def test_clear_with_nothing_queued_does_nothing(bench: Bench) -> None:
    session, _ = bench.call()
    session.clear()
    bench.pass_frames(2)
    session.clear()
    bench.pass_frames(2)
    assert session.played_samples == 0
    assert bench.seen == []


def test_a_late_piece_of_speech_is_an_underrun_and_a_new_utterance_is_not(bench: Bench) -> None:
    session, _ = bench.call()
    session.play(square(20))
    bench.pass_frames(4)
    session.play(square(20))
    bench.pass_frames(8)
    session.play(square(20))
    bench.pass_frames(4)
    assert session.stats().underruns == 1
    [underrun] = bench.of_kind(EventKind.UNDERRUN)
    assert underrun.position == 4 * 160
    assert len(bench.of_kind(EventKind.PLAYOUT_STARTED)) == 3


@pytest.mark.parametrize("codec", ["ulaw", "alaw", "slin"])
@pytest.mark.parametrize("prompt_codec", ["ulaw", "alaw"])
def test_a_prompt_sounds_the_same_in_every_codec(bench: Bench, codec: str, prompt_codec: str) -> None:
    session, phone = bench.call(codec)
    pcm = b"".join(struct.pack("<h", value) for value in random.Random(1).choices(range(-30000, 30000), k=500))
    prompt = Prompt(pcm, prompt_codec)
    bench.pass_frames(1)
    session.play(square(5))
    session.play(prompt)
    session.play(prompt)
    bench.pass_frames(10)
    encode, decode = {"ulaw": (ulaw_encode, ulaw_decode), "alaw": (alaw_encode, alaw_decode)}[prompt_codec]
    wanted = decode(encode(pcm))
    heard = phone.heard()[320 + 80 :]
    if codec in ("slin", prompt_codec):
        assert heard[:2000] == wanted * 2
    else:
        pairs = zip(memoryview(wanted).cast("h"), memoryview(heard[:1000]).cast("h"), strict=True)
        assert all(abs(a - b) <= 8 + abs(a) * 0.07 for a, b in pairs)


def test_a_prompt_of_the_sessions_codec_is_sent_as_it_lies(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    prompt = Prompt(square(200), "ulaw")
    mark = session.play(prompt)
    bench.pass_frames(12)
    assert mark == prompt.samples == len(prompt) == 1600
    assert b"".join(packet.payload for packet in phone.collect()[:10]) == prompt.payload


def test_prompts_are_for_sessions_at_8_khz_and_of_codecs_without_memory(bench: Bench) -> None:
    session, _ = bench.call("g722")
    with pytest.raises(RateError, match="16000"):
        session.play(Prompt(square(20)))
    with pytest.raises(RateError, match="g722"):
        Prompt(square(20), "g722")
    with pytest.raises(FrameSizeError):
        Prompt(b"\0")


def test_audio_lives_as_long_as_it_is_being_played_and_no_longer(bench: Bench) -> None:
    session, phone = bench.call("slin")
    pcm = bytearray(square(100))
    kept = bytes(pcm)
    references = sys.getrefcount(kept)
    session.play(kept)
    session.play(bytes(pcm))  # nobody but the engine refers to this one
    gc.collect()
    assert sys.getrefcount(kept) == references + 1
    bench.pass_frames(12)
    assert phone.heard()[:3200] == bytes(pcm) * 2
    assert sys.getrefcount(kept) == references


def test_audio_is_let_go_of_after_clear_and_after_the_end(bench: Bench) -> None:
    session, _ = bench.call("slin")
    kept = bytes(bytearray(square(100)))
    references = sys.getrefcount(kept)
    session.play(kept)
    bench.pass_frames(1)
    session.clear()
    bench.pass_frames(2)
    session.clear()
    assert sys.getrefcount(kept) == references
    session.play(kept)
    session.close()
    assert sys.getrefcount(kept) == references


def test_64_pieces_may_wait_and_places_come_free_as_they_are_played(bench: Bench) -> None:
    session, _ = bench.call()
    for _ in range(64):
        session.play(square(20))
    with pytest.raises(PlayoutFull):
        session.play(square(20))
    assert PlayoutFull.retryable
    assert session.queued_samples == 64 * 160
    bench.pass_frames(3)
    session.play(square(20))
    session.play(square(20))
    bench.pass_frames(70)
    assert session.played_samples == 66 * 160
    assert len(bench.of_kind(EventKind.MARK_REACHED)) == 66


@pytest.mark.parametrize("audio", [None, "text", bytearray(4), memoryview(bytes(4)), 5])
def test_only_audio_that_cannot_change_is_taken(bench: Bench, audio: object) -> None:
    session, _ = bench.call()
    with pytest.raises(TypeError):
        session.play(audio)  # type: ignore[arg-type]


def test_half_a_sample_is_refused(bench: Bench) -> None:
    session, _ = bench.call()
    with pytest.raises(FrameSizeError, match="even"):
        session.play(b"\0\0\0")


def test_a_stall_sends_two_frames_and_accounts_for_the_rest(bench: Bench) -> None:
    session, phone = bench.call()
    session.play(square(2000))
    bench.pass_frames(5)
    sent, played = len(phone.collect()), session.played_samples
    bench.now += 0.4
    bench.pass_frames(1)
    assert len(phone.collect()) == 2
    assert (sent, session.played_samples - played) == (5, 320)
    stats = session.stats()
    assert stats.skipped_frames == 19
    assert session.position == 25 * 160
    bench.pass_frames(5)
    packets = phone.packets
    assert packets[5].marker
    assert (packets[5].timestamp - packets[4].timestamp) & 0xFFFFFFFF == 20 * 160
    assert (packets[5].sequence - packets[4].sequence) & 0xFFFF == 1


steps = st.lists(
    st.one_of(
        st.tuples(st.just("play"), st.integers(0, 500)),
        st.tuples(st.just("frame"), st.integers(1, 4)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=40,
)


@given(steps)
def test_playout_is_that_of_the_queue_in_python(taken: list[tuple[str, int]]) -> None:
    """`PlayoutQueue` is the oracle: same marks, starts, positions, counts and samples, whatever happens when."""
    bench = Bench()
    try:
        session, phone = bench.call("slin")
        queue = PlayoutQueue(8000, 160)
        frames = 0
        wanted: list[tuple[EventKind, int, int]] = []
        wanted_pcm = b""
        sample = 1
        for what, number in taken:
            if what == "play":
                pcm = ramp(number, sample)
                sample = (sample + number) % 20000 + 1
                assert session.play(pcm) == queue.play(pcm)
            elif what == "clear":
                session.clear()
                queue.clear()
            for _ in range(number if what == "frame" else 0):
                queue.cut(fill=True)
                frame = queue.hand_out()
                wanted_pcm += frame.pcm
                position = frames * 160
                if frame.started_at is not None:
                    wanted.append((EventKind.PLAYOUT_STARTED, 0, position + frame.started_at))
                wanted += [(EventKind.MARK_REACHED, mark, position + offset) for mark, offset in frame.marks]
                frames += 1
                bench.pass_frames()
            assert session.played_samples == queue.played_samples
            assert session.queued_samples == queue.queued_samples
        told = bench.of_kind(EventKind.PLAYOUT_STARTED, EventKind.MARK_REACHED)
        assert [(event.kind, event.value, event.position) for event in told] == wanted
        assert phone.heard() == wanted_pcm
        assert session.stats().underruns == (queue.underruns if frames else 0)
    finally:
        bench.close()
