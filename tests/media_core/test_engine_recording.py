"""Both sides of a call, aligned on one clock."""

from __future__ import annotations

import struct

import pytest

from media_core.engine import Session, resources
from media_core.engine_events import EventKind
from tests.media_core.engine_call import Bench


def drain(session: Session) -> list[tuple[int, bytes, bytes]]:
    pieces = []
    while (found := session.recorded()) is not None:
        pieces.append(found)
    return pieces


def joined(pieces: list[tuple[int, bytes, bytes]]) -> tuple[list[int], list[int]]:
    """Return both sides from position 0 on; the pieces must follow each other."""
    caller, agent = b"", b""
    for position, heard, said in pieces:
        assert position * 2 == len(caller) == len(agent)
        assert len(heard) == len(said)
        caller += heard
        agent += said
    return list(memoryview(caller).cast("h")), list(memoryview(agent).cast("h"))


@pytest.mark.parametrize("codec", ["slin", "ulaw", "alaw", "g722"])
def test_both_sides_are_at_their_places(bench: Bench, codec: str) -> None:
    session, phone = bench.call(codec)
    session.record(True)
    frame = session.rate_hz // 50
    pieces = []
    for number in range(100):
        if number == 75:
            session.play(struct.pack("<h", -5000) * (10 * frame))
        level = 5000 if 25 <= number < 50 else 0
        phone.say(struct.pack("<h", level) * frame, bench.address)
        bench.pass_frames()
        pieces += drain(session)
    session.record(False)
    bench.pass_frames()
    pieces += drain(session)
    caller, agent = joined(pieces)
    assert len(caller) == 100 * frame
    heard = [n for n, value in enumerate(caller) if value > 2500]
    said = [n for n, value in enumerate(agent) if value < -2500]
    # Packet 25 holds what was said until position 25 frames; a caller's positions are 0 to 20 ms early by design.
    assert (heard[0], heard[-1]) == pytest.approx((23.5 * frame, 48.5 * frame), abs=0.6 * frame)
    assert (said[0], said[-1]) == pytest.approx((75 * frame, 85 * frame - 1), abs=30)
    assert len(said) == pytest.approx(10 * frame, abs=40)


def test_recorded_audio_is_announced_and_its_end_too(bench: Bench) -> None:
    session, _ = bench.call()
    session.record(True)
    bench.pass_frames(60)
    assert len(bench.of_kind(EventKind.TAP_READY)) == 2
    assert bench.of_kind(EventKind.TAP_ENDED) == []
    session.record(False)
    bench.pass_frames(5)
    assert len(bench.of_kind(EventKind.TAP_ENDED)) == 1
    caller, _ = joined(drain(session))
    assert len(caller) == 60 * 160
    assert resources()["taps"] == 0


def test_a_recording_may_begin_in_the_middle_and_begin_again(bench: Bench) -> None:
    session, _ = bench.call()
    bench.pass_frames(10)
    session.record(True)
    bench.pass_frames(10)
    session.record(True)
    bench.pass_frames(10)
    session.record(False)
    bench.pass_frames()
    pieces = drain(session)
    assert [(position, len(heard) // 320) for position, heard, _ in pieces] == [(1600, 10), (3200, 10)]


def test_what_nobody_fetches_for_2_s_is_lost_and_counted_and_positions_show_it(bench: Bench) -> None:
    session, _ = bench.call()
    session.record(True)
    bench.pass_frames(152)
    assert session.stats().tap_dropped == 50
    [(position, heard, _)] = drain(session)
    assert (position, len(heard)) == (0, 100 * 320)
    bench.pass_frames(10)
    [(position, heard, _)] = drain(session)
    assert (position, len(heard)) == (150 * 160, 10 * 320)


def test_a_session_that_is_closed_while_it_is_recorded_lets_its_recording_go(bench: Bench) -> None:
    session, _ = bench.call()
    session.record(True)
    bench.pass_frames(10)
    session.close()
    assert resources() == {"engines": 1, "sessions": 0, "taps": 0, "links": 0, "feeds": 0}
    bench.pass_frames(3)
    assert len(bench.of_kind(EventKind.TAP_ENDED)) == 1


def test_a_stall_is_silence_in_the_recording(bench: Bench) -> None:
    session, _ = bench.call("slin")
    session.record(True)
    session.play(struct.pack("<h", 7000) * 16000)
    bench.pass_frames(10)
    bench.now += 0.2
    bench.pass_frames(10)
    session.record(False)
    bench.pass_frames()
    _, agent = joined(drain(session))
    assert len(agent) == 30 * 160
    assert set(agent[: 10 * 160]) == {7000}
    assert set(agent[10 * 160 : 19 * 160]) == {0}
    assert set(agent[19 * 160 :]) == {7000}
