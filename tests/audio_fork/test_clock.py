from __future__ import annotations

import pytest

from audio_fork.clock import FRAME_S, PlayoutClock
from tests.audio_fork.virtual_time import ManualTime


class Session:
    """Notes its beats."""

    def __init__(self, time: ManualTime, *, broken: bool = False) -> None:
        self._time = time
        self._broken = broken
        self.beats: list[tuple[float, bool]] = []
        self.failures: list[str] = []

    def beat(self, *, behind_s: float, sending: bool) -> None:
        self.beats.append((self._time.now - behind_s, sending))
        if self._broken:
            raise ZeroDivisionError

    def fail(self, reason: str) -> None:
        self.failures.append(reason)


@pytest.fixture
def time() -> ManualTime:
    return ManualTime()


@pytest.fixture
def clock(time: ManualTime) -> PlayoutClock:
    return time.playout_clock()


def test_every_session_gets_one_beat_per_frame(time: ManualTime, clock: PlayoutClock) -> None:
    first, second = Session(time), Session(time)
    clock.add(first)
    clock.add(second)
    time.advance(1000)
    assert len(first.beats) == len(second.beats) == 50
    assert clock.late_beats == clock.skipped_beats == 0


def test_beats_stay_on_the_grid_although_every_timer_fires_late(time: ManualTime, clock: PlayoutClock) -> None:
    session = Session(time)
    start = time.now
    clock.add(session)
    for _ in range(500):
        time.stall(max(0.0, time.timers[0].at - time.now) * 1000 + 3)
    assert [at for at, _ in session.beats] == pytest.approx([start + FRAME_S * n for n in range(1, 501)])
    assert clock.late_beats == 0
    assert clock.worst_lateness_s == pytest.approx(0.003)


def test_a_short_stall_is_made_up_for(time: ManualTime, clock: PlayoutClock) -> None:
    session = Session(time)
    clock.add(session)
    time.stall(45)
    assert [sending for _, sending in session.beats] == [True, True]
    assert clock.late_beats == 1
    assert clock.skipped_beats == 0


def test_a_long_stall_is_not_sent_as_a_burst_and_the_session_clock_stays_true(
    time: ManualTime, clock: PlayoutClock
) -> None:
    session = Session(time)
    start = time.now
    clock.add(session)
    time.stall(201)
    assert [sending for _, sending in session.beats] == [False] * 8 + [True] * 2
    assert clock.skipped_beats == 8
    time.advance(20)
    assert [at for at, _ in session.beats] == pytest.approx([start + FRAME_S * n for n in range(1, 12)])


def test_a_timer_that_fires_early_is_set_again(time: ManualTime, clock: PlayoutClock) -> None:
    session = Session(time)
    clock.add(session)
    time.now += 0.0195
    time.timers.pop().callback()
    assert session.beats == []
    time.advance(1)
    assert len(session.beats) == 1


def test_nothing_is_scheduled_without_sessions(time: ManualTime, clock: PlayoutClock) -> None:
    session = Session(time)
    clock.add(session)
    time.advance(40)
    clock.remove(session)
    clock.remove(session)
    time.advance(1000)
    assert len(session.beats) == 2
    assert all(timer.cancelled for timer in time.timers)


def test_a_session_that_breaks_is_given_up_and_the_others_lose_no_beat(
    time: ManualTime, clock: PlayoutClock, caplog: pytest.LogCaptureFixture
) -> None:
    before, broken, after = Session(time), Session(time, broken=True), Session(time)
    start = time.now
    for session in (before, broken, after):
        clock.add(session)
    time.advance(100)
    assert broken.failures == ["internal error"]
    assert len(broken.beats) == 1
    for session in (before, after):
        assert [at for at, _ in session.beats] == pytest.approx([start + FRAME_S * n for n in range(1, 6)])
        assert session.failures == []
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_the_calls_of_a_loop_share_one_clock() -> None:
    assert PlayoutClock.of_running_loop() is PlayoutClock.of_running_loop()
