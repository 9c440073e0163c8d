from __future__ import annotations

import pytest

from audio_fork.far_queue import FarQueue

T0 = 1000.0


@pytest.fixture
def queue() -> FarQueue:
    return FarQueue()


def handed(queue: FarQueue, at_s: float) -> int:
    """Ask of a PBX whose messages take no time."""
    return queue.handed(at_s, at_s - 0.001)


def sent_with_marks(queue: FarQueue, groups: int) -> tuple[str, list[str]]:
    """Begin a run and send groups of five frames; return the ids of the first mark and of those behind the groups."""
    queue.begin_run()
    first = queue.mark()
    marks = []
    for _ in range(groups):
        queue.send(5)
        marks.append(queue.mark())
    return first, marks


def test_nothing_is_handed_out_before_the_pbx_has_told_so(queue: FarQueue) -> None:
    sent_with_marks(queue, 2)
    assert handed(queue, T0 + 10) == 0
    assert not queue.is_dry


def test_the_first_mark_starts_the_schedule_and_the_clock_goes_on(queue: FarQueue) -> None:
    first, marks = sent_with_marks(queue, 2)
    assert queue.processed(first, T0)
    assert [handed(queue, T0 + ms / 1000) for ms in (0, 19, 20, 79, 80)] == [1, 1, 2, 4, 5]
    assert queue.started_s == T0
    assert marks


def test_the_clock_does_not_run_past_a_mark_that_has_not_come_back(queue: FarQueue) -> None:
    first, marks = sent_with_marks(queue, 2)
    queue.processed(first, T0)
    assert handed(queue, T0 + 5) == 5
    queue.processed(marks[0], T0 + 5.1)
    assert handed(queue, T0 + 5.1) == 6


def test_a_mark_that_cannot_have_come_back_yet_does_not_stop_the_count(queue: FarQueue) -> None:
    first, _ = sent_with_marks(queue, 2)
    queue.processed(first, T0)
    assert queue.handed(T0 + 0.130, told_s=T0 + 0.090) == 7
    assert queue.handed(T0 + 0.170, told_s=T0 + 0.130) == 7


def test_a_pbx_that_slips_is_followed_with_its_next_mark(queue: FarQueue) -> None:
    first, marks = sent_with_marks(queue, 3)
    queue.processed(first, T0)
    queue.processed(marks[0], T0 + 0.160)
    assert handed(queue, T0 + 0.161) == 6
    assert handed(queue, T0 + 0.180) == 7


def test_a_message_that_comes_a_little_late_does_not_move_the_schedule(queue: FarQueue) -> None:
    first, marks = sent_with_marks(queue, 3)
    queue.processed(first, T0)
    queue.processed(marks[0], T0 + 0.108)
    assert queue.started_s == T0
    queue.processed(marks[1], T0 + 0.197)
    assert queue.started_s == pytest.approx(T0 - 0.003)


def test_a_run_is_dry_when_its_last_mark_has_come_back(queue: FarQueue) -> None:
    assert queue.is_dry
    first, marks = sent_with_marks(queue, 1)
    queue.processed(first, T0)
    assert not queue.is_dry
    queue.processed(marks[0], T0 + 0.1)
    assert queue.is_dry
    assert handed(queue, T0 + 0.1) == 5
    assert queue.waiting() == 0


def test_marks_of_a_flushed_run_are_lost_and_mean_nothing_when_they_come_all_the_same(queue: FarQueue) -> None:
    first, marks = sent_with_marks(queue, 2)
    queue.processed(first, T0)
    queue.begin_run()
    assert queue.lost_marks == 2
    new_first = queue.mark()
    queue.send(5)
    assert not queue.processed(marks[0], T0 + 0.1)
    assert handed(queue, T0 + 1) == 0
    assert queue.processed(new_first, T0 + 1)
    assert handed(queue, T0 + 1) == 1


def test_marks_that_were_overtaken_are_given_up(queue: FarQueue) -> None:
    first, marks = sent_with_marks(queue, 3)
    queue.processed(first, T0)
    assert queue.processed(marks[2], T0 + 0.3)
    assert handed(queue, T0 + 0.3) == 15
    assert not queue.processed(marks[0], T0 + 0.4)


def test_what_was_handed_out_is_never_taken_back(queue: FarQueue) -> None:
    first, marks = sent_with_marks(queue, 3)
    queue.processed(first, T0)
    queue.processed(marks[0], T0 + 0.190)
    assert handed(queue, T0 + 0.190) == 6
    assert handed(queue, T0 + 0.100) == 6
