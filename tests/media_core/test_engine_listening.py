"""What comes from the caller: blocks, speech, keys, tones, streams that begin anew, silence, alarms, lateness."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from media_core.engine import Session
from media_core.engine_events import EventKind, ToneKind
from media_core.pcm import level_dbfs
from media_core.rtp import build_telephone_event
from media_core.tones import tone
from tests.media_core.engine_call import Bench, Phone, square
from tests.media_core.signals import noise, to_pcm, voice

EVENT_TYPE = 101


def speak(bench: Bench, phone: Phone, pcm: bytes, each_frame: Callable[[], None] | None = None) -> None:
    """Let the caller say this, 20 ms at a time."""
    size = phone.codec.rate_hz // 50 * 2
    for start in range(0, len(pcm) // size * size, size):
        phone.say(pcm[start : start + size], bench.address)
        bench.pass_frames()
        if each_frame is not None:
            each_frame()


def read_all(session: Session) -> list[tuple[int, bytes]]:
    blocks = []
    while (found := session.read()) is not None:
        blocks.append(found)
    return blocks


@pytest.mark.parametrize("codec", ["ulaw", "alaw", "slin", "g722"])
def test_blocks_follow_each_other_and_hold_what_was_said(bench: Bench, codec: str) -> None:
    session, phone = bench.call(codec)
    rate = session.rate_hz
    blocks: list[tuple[int, bytes]] = []
    pcm = bytes(rate) + square(300, rate, 8000) + bytes(rate)
    speak(bench, phone, pcm, lambda: blocks.extend(read_all(session)))
    assert blocks[0][0] == 0
    assert all(len(block) == 2 * rate * 60 // 1000 for _, block in blocks)
    assert all(b[0] == a[0] + len(a[1]) // 2 for a, b in pairwise(blocks))
    assert session.position - (blocks[-1][0] + len(blocks[-1][1]) // 2) <= rate * 120 // 1000
    heard = b"".join(block for _, block in blocks)
    loud = [n for n in range(0, len(heard), rate // 100) if level_dbfs(heard[n : n + rate // 100]) > -30]
    # 500 ms in; positions are 0 to 20 ms early by design.
    assert loud[0] / 2 / rate == pytest.approx(0.5 - 0.02, abs=0.021)
    assert len(loud) == pytest.approx(60, abs=3)
    ready = bench.of_kind(EventKind.BLOCK_READY)
    assert [event.position for event in ready] == [position for position, _ in blocks]
    for event, (_, block) in zip(ready, blocks, strict=True):
        assert event.samples == len(block) // 2
        assert event.level_dbfs == pytest.approx(level_dbfs(block), abs=0.01)


def test_zero_crossings_tell_hiss_from_hum(bench: Bench) -> None:
    _, phone = bench.call("slin")
    speak(bench, phone, to_pcm(noise(-20, 0.5)) + square(500))
    crossings = [event.value for event in bench.of_kind(EventKind.BLOCK_READY)]
    assert min(crossings[1:7]) > 200
    assert crossings[-1] == 24


@pytest.mark.parametrize("block_ms", [20, 40, 60, 80, 100])
def test_blocks_have_the_length_asked_for(block_ms: int) -> None:
    bench = Bench(block_ms=block_ms)
    try:
        session, phone = bench.call("ulaw")
        blocks: list[tuple[int, bytes]] = []
        speak(bench, phone, square(2000), lambda: blocks.extend(read_all(session)))
        assert {len(block) for _, block in blocks} == {16 * block_ms}
        assert len(blocks) == (2000 - 40) // block_ms
        assert all(b[0] - a[0] == 8 * block_ms for a, b in pairwise(blocks))
    finally:
        bench.close()


def test_a_reader_that_lags_loses_the_oldest_and_it_is_counted(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    speak(bench, phone, square(200))
    first = session.read()
    assert first is not None
    assert first[0] == 0
    speak(bench, phone, square(3000))
    late = read_all(session)
    assert sum(len(block) // 2 for _, block in late) <= 1600
    assert session.position - late[-1][0] <= 1440
    assert session.stats().dropped_blocks == (late[0][0] - 480) // 480


def test_a_view_shows_the_block_where_it_lies(bench: Bench) -> None:
    session, phone = bench.call("slin")
    assert session.view() is None
    speak(bench, phone, struct.pack("<h", 700) * 1600)
    found = session.view()
    assert found is not None
    position, view = found
    assert position == 0
    assert view.readonly
    assert (view.format, len(view)) == ("h", 480)
    assert set(np.frombuffer(view, np.int16)[320:]) == {700}
    again = session.view()
    assert again is not None
    assert again[0] == 0
    assert session.advance()
    behind = session.read()
    assert behind is not None
    assert behind[0] == 480


def test_a_view_that_was_overtaken_is_told_so_and_is_no_danger(bench: Bench) -> None:
    session, phone = bench.call("slin")
    speak(bench, phone, struct.pack("<h", 700) * 1600)
    found = session.view()
    assert found is not None
    speak(bench, phone, struct.pack("<h", 900) * 4800)
    assert not session.advance()
    session.close()
    bench.engine.close()
    assert len(found[1].tolist()) == 480  # the memory lives as long as the view does


def test_speech_is_reported_where_it_began_and_ended(bench: Bench) -> None:
    _, phone = bench.call("ulaw")
    hum = to_pcm(noise(-60, 0.5))
    speak(bench, phone, hum + to_pcm(voice(-18, 0.7)) + hum + hum + to_pcm(voice(-18, 0.6)) + hum)
    edges = bench.of_kind(EventKind.SPEECH_STARTED, EventKind.SPEECH_STOPPED)
    assert [event.kind for event in edges] == [EventKind.SPEECH_STARTED, EventKind.SPEECH_STOPPED] * 2
    assert [event.position / 8 for event in edges] == pytest.approx([500, 1200, 2200, 2800], abs=60)


def test_another_ssrc_from_the_right_address_begins_anew(bench: Bench) -> None:
    session, phone = bench.call("slin")
    speak(bench, phone, square(500))
    phone.ssrc, phone.sequence, phone.timestamp = 0x9999, 7, 123456
    speak(bench, phone, struct.pack("<h", 4000) * 4000)
    stats = session.stats()
    assert (stats.restarts, stats.received, stats.lost, stats.late) == (1, 50, 0, 0)
    last = read_all(session)[-1][1]
    assert set(memoryview(last).cast("h")) == {4000}


def test_strangers_are_dropped_and_counted(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    stranger = Phone("ulaw")
    bench.phones.append(stranger)
    stranger.ssrc = phone.ssrc
    for _ in range(20):
        stranger.say(square(20), bench.address)
        phone.say(bytes(320), bench.address)
        bench.pass_frames()
    stats = bench.engine.stats()
    assert (stats.received, stats.strangers) == (40, 20)
    assert session.stats().received == 20
    assert bench.of_kind(EventKind.SPEECH_STARTED) == []


def test_loss_reordering_and_duplicates_are_counted(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    speak(bench, phone, square(400))
    phone.packet(b"\xff" * 160)  # lost
    first, second = phone.packet(b"\x10" * 160), phone.packet(b"\x20" * 160)
    for octets in (second, first, first):
        phone.send(octets, bench.address)
    bench.pass_frames(2)
    speak(bench, phone, square(400))
    stats = session.stats()
    assert (stats.lost, stats.duplicate, stats.received) == (1, 1, 43)
    assert stats.concealed >= 1


def test_telephone_events_are_keys_where_they_are_for_us(bench: Bench) -> None:
    session, phone = bench.call("ulaw", event_payload_type=EVENT_TYPE)
    speak(bench, phone, bytes(3200))
    start = session.position
    timestamp = phone.timestamp
    for number in range(5):
        phone.timestamp = timestamp
        report = build_telephone_event("7", 160 * (number + 1), end=number >= 3)
        phone.send(phone.packet(report, EVENT_TYPE), bench.address)
        bench.pass_frames()
    pressed, released = bench.of_kind(EventKind.DIGIT_PRESSED, EventKind.DIGIT_RELEASED)
    assert (pressed.kind, chr(pressed.code), pressed.value) == (EventKind.DIGIT_PRESSED, "7", 0)
    assert pressed.position == pytest.approx(start, abs=160)
    assert (released.kind, chr(released.code), released.samples) == (EventKind.DIGIT_RELEASED, "7", 640)
    assert released.position == pressed.position
    assert session.stats().unexpected == 0
    assert session.stats().lost == 0


def test_telephone_events_are_nothing_but_counted_where_the_pbx_reports_keys_itself(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    for _ in range(3):
        phone.send(phone.packet(build_telephone_event("7", 160), EVENT_TYPE), bench.address)
    bench.pass_frames(3)
    assert bench.of_kind(EventKind.DIGIT_PRESSED) == []
    assert session.stats().unexpected == 3


def test_a_silent_peer_is_told_once_and_again_after_it_was_back(bench: Bench) -> None:
    _, phone = bench.call("ulaw", peer_timeout_ms=2000)
    speak(bench, phone, square(100))
    bench.pass_frames(99)
    assert bench.of_kind(EventKind.PEER_SILENT) == []
    bench.pass_frames(200)
    [silent] = bench.of_kind(EventKind.PEER_SILENT)
    assert silent.value == 2000
    speak(bench, phone, square(100))
    bench.pass_frames(200)
    assert len(bench.of_kind(EventKind.PEER_SILENT)) == 2


def test_how_long_the_peer_has_been_silent_can_be_asked(bench: Bench) -> None:
    session, phone = bench.call("g722")
    bench.pass_frames(51)
    assert session.peer_silent_ms == 1000
    phone.send(phone.packet(bytes(160)), bench.address)
    bench.pass_frames(2)
    assert session.peer_silent_ms <= 40
    bench.pass_frames(10)
    assert 180 <= session.peer_silent_ms <= 220


def test_a_silent_peer_is_nothing_to_tell_by_default(bench: Bench) -> None:
    bench.call("ulaw")
    bench.pass_frames(3000)
    assert {event.kind for event in bench.seen} == {EventKind.BLOCK_READY}


def test_an_alarm_rings_once_on_time_and_only_the_newest(bench: Bench) -> None:
    session, _ = bench.call("ulaw")
    session.set_alarm(800)
    session.set_alarm(1600)
    bench.pass_frames(10)
    assert bench.of_kind(EventKind.ALARM_REACHED) == []
    bench.pass_frames(1)
    assert [event.position for event in bench.of_kind(EventKind.ALARM_REACHED)] == [1600]
    session.set_alarm(100)
    bench.pass_frames(1)
    session.set_alarm(5000)
    session.set_alarm(None)
    bench.pass_frames(100)
    assert [event.position for event in bench.of_kind(EventKind.ALARM_REACHED)] == [1600, 100]


def test_late_ticks_are_told_and_counted(bench: Bench) -> None:
    session, _ = bench.call("ulaw")
    bench.pass_frames(5)
    bench.pass_frames(1, late_s=0.012)
    bench.pass_frames(5)
    [late] = bench.of_kind(EventKind.LATE_TICK)
    assert (late.session, late.samples) == (0, 1)
    assert late.value == pytest.approx(12000, abs=1)
    assert bench.engine.stats().late_ticks == 1
    assert session.stats().late_beats == 1
    assert bench.engine.lateness_s(1.0) == pytest.approx(0.012)
    assert bench.engine.lateness_s(0.5) < 0.001
    bench.engine.forget_times()
    assert bench.engine.lateness_s(1.0) == 0


def test_time_that_stood_still_for_more_than_10_s_is_given_up(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    bench.pass_frames(5)
    bench.now += 60
    bench.pass_frames(5)
    assert bench.engine.stats().lost_ms == 60_000
    assert session.position == 9 * 160
    assert len(phone.collect()) == 10


def test_keys_heard_as_tones_are_found_while_that_is_switched_on(bench: Bench) -> None:
    session, phone = bench.call("slin")
    five = tone([770, 1336], 100, 8000) + bytes(1600)
    speak(bench, phone, five)
    session.switch(dtmf=True)
    speak(bench, phone, bytes(1600) + five * 2)
    session.switch(dtmf=False)
    speak(bench, phone, bytes(1600) + five)
    keys = bench.of_kind(EventKind.DIGIT_PRESSED, EventKind.DIGIT_RELEASED)
    assert [event.kind for event in keys] == [EventKind.DIGIT_PRESSED, EventKind.DIGIT_RELEASED] * 2
    assert {(chr(event.code), event.value) for event in keys} == {("5", 1)}
    assert [event.position / 8 for event in keys[::2]] == pytest.approx([200 + 100, 200 + 300], abs=45)
    assert [event.samples / 8 for event in keys[1::2]] == pytest.approx([100, 100], abs=26)


def test_a_beep_after_speech_is_told_with_frequency_duration_and_position(bench: Bench) -> None:
    _, phone = bench.call("ulaw", tones=True)
    hum = to_pcm(noise(-62, 0.5))
    speak(bench, phone, hum + to_pcm(voice(-20, 3.0)) + hum[:1600] + tone([1000], 400, 8000) + hum)
    [beep] = [event for event in bench.of_kind(EventKind.TONE_HEARD) if event.code == ToneKind.BEEP]
    assert beep.frequency_hz == pytest.approx(1000, abs=15)
    assert beep.samples / 8 == pytest.approx(400, abs=41)
    assert beep.position / 8 == pytest.approx(3600, abs=61)
    assert beep.level_dbfs == pytest.approx(-12, abs=2)


def test_the_callees_words_and_pauses_are_measured_from_the_switch_on(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    hum = to_pcm(noise(-62, 0.5))
    speak(bench, phone, hum + to_pcm(voice(-20, 0.5)))
    assert session.stats().callee.words == 0
    session.switch(callee=True)
    speak(bench, phone, hum + to_pcm(voice(-20, 0.6)) + hum + hum)
    seen = session.stats().callee
    assert seen.elapsed_ms == pytest.approx(2100, abs=60)
    assert seen.words >= 1
    assert not seen.in_word
    assert seen.speech_ms == pytest.approx(600, abs=150)
    changes = bench.of_kind(EventKind.CALLEE_CHANGED)
    assert changes[-1].code == 0
    assert changes[-1].value == seen.words
