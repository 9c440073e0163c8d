from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_fork.errors import BadAudio
from audio_fork.playout import MAX_QUEUED_S, PlayoutFrame, PlayoutQueue

FRAME = 160
LOUD = 20_000


def constant(samples: int, value: int = LOUD) -> bytes:
    return struct.pack("<h", value) * samples


def samples_of(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


def next_frame(queue: PlayoutQueue) -> PlayoutFrame:
    """Let a frame go out, as it is where nothing is sent ahead."""
    if not queue.cut_frames:
        queue.cut(fill=True)
    return queue.hand_out()


@pytest.fixture
def queue() -> PlayoutQueue:
    return PlayoutQueue(8000, FRAME)


def test_idle_frames_are_silence_and_do_not_count(queue: PlayoutQueue) -> None:
    frame = next_frame(queue)
    assert frame.pcm == bytes(FRAME * 2)
    assert (frame.played, frame.started_at, frame.marks) == (0, None, ())
    assert queue.played_samples == 0


def test_pieces_are_joined_without_a_gap_and_the_last_frame_is_filled_up(queue: PlayoutQueue) -> None:
    queue.play(constant(100, 1))
    queue.play(constant(100, 2))
    assert samples_of(next_frame(queue).pcm) == (1,) * 100 + (2,) * 60
    last = next_frame(queue)
    assert samples_of(last.pcm) == (2,) * 40 + (0,) * 120
    assert last.played == 40
    assert queue.played_samples == 200


def test_a_mark_is_reached_in_the_frame_that_holds_its_last_sample(queue: PlayoutQueue) -> None:
    first = queue.play(constant(200))
    second = queue.play(constant(40))
    third = queue.play(constant(200))
    assert (first, second, third) == (200, 240, 440)
    assert next_frame(queue).marks == ()
    assert next_frame(queue).marks == ((200, 40), (240, 80))
    assert next_frame(queue).marks == ((440, 120),)


def test_the_mark_of_nothing_is_reached_with_the_next_frame(queue: PlayoutQueue) -> None:
    assert queue.play(b"") == 0
    assert next_frame(queue).marks == ((0, 0),)


def test_playout_starts_once_after_silence(queue: PlayoutQueue) -> None:
    queue.play(constant(FRAME * 2))
    assert [next_frame(queue).started_at for _ in range(3)] == [0, None, None]
    queue.play(constant(10))
    assert next_frame(queue).started_at == 0


def test_clear_ends_speech_in_a_ramp_of_5_ms_that_counts_as_played(queue: PlayoutQueue) -> None:
    queue.play(constant(FRAME * 10))
    next_frame(queue)
    queue.clear()
    assert queue.played_samples == FRAME
    frame = next_frame(queue)
    tail = samples_of(frame.pcm)
    assert frame.played == 40
    assert max(abs(a - b) for a, b in pairwise((LOUD, *tail))) <= LOUD // 40 + 1
    assert set(tail[40:]) == {0}
    assert queue.played_samples == FRAME + 40
    assert next_frame(queue).played == 0


def test_clear_before_anything_was_played_leaves_nothing(queue: PlayoutQueue) -> None:
    queue.play(constant(FRAME))
    queue.clear()
    assert queue.queued_samples == 0
    assert next_frame(queue).played == 0


def test_marks_dropped_by_clear_are_never_reached_and_those_after_it_are_true(queue: PlayoutQueue) -> None:
    queue.play(constant(FRAME * 10))
    next_frame(queue)
    queue.clear()
    mark = queue.play(constant(100))
    assert mark == FRAME + 40 + 100
    frame = next_frame(queue)
    assert frame.marks == ((mark, 140),)
    assert frame.started_at == 40
    assert queue.played_samples == mark


def test_clearing_twice_keeps_the_one_ramp(queue: PlayoutQueue) -> None:
    queue.play(constant(FRAME * 10))
    next_frame(queue)
    queue.clear()
    queue.play(constant(FRAME * 10))
    queue.clear()
    assert next_frame(queue).played == 40


def test_a_short_gap_inside_speech_is_an_underrun_and_a_pause_is_not(queue: PlayoutQueue) -> None:
    queue.play(constant(FRAME))
    for _ in range(3):
        next_frame(queue)
    queue.play(constant(FRAME))
    next_frame(queue)
    assert queue.underruns == 1
    for _ in range(10):
        next_frame(queue)
    queue.play(constant(FRAME))
    next_frame(queue)
    assert queue.underruns == 1


def test_half_a_sample_is_refused(queue: PlayoutQueue) -> None:
    with pytest.raises(BadAudio, match="even"):
        queue.play(b"\0\0\0")


def test_more_than_the_queue_holds_is_refused_and_nothing_is_lost(queue: PlayoutQueue) -> None:
    queue.play(bytes(MAX_QUEUED_S * 8000 * 2))
    with pytest.raises(BadAudio, match="piece by piece"):
        queue.play(b"\0\0")
    assert queue.queued_samples == MAX_QUEUED_S * 8000


@given(st.lists(st.one_of(st.integers(0, 1000), st.sampled_from(["frame", "clear"])), max_size=60))
def test_played_samples_marks_and_what_went_out_always_agree(steps: list[int | str]) -> None:
    queue = PlayoutQueue(8000, FRAME)
    gone = 0
    open_marks: list[int] = []
    for step in steps:
        if step == "clear":
            queue.clear()
            open_marks.clear()
        elif step == "frame":
            frame = next_frame(queue)
            gone += frame.played
            assert len(frame.pcm) == FRAME * 2
            assert queue.played_samples == gone
            assert [mark for mark, _ in frame.marks] == [mark for mark in open_marks if mark <= gone]
            open_marks = [mark for mark in open_marks if mark > gone]
        else:
            assert isinstance(step, int)
            open_marks.append(queue.play(constant(step)))
            assert open_marks[-1] == gone + queue.queued_samples


def test_frames_cut_ahead_count_when_they_are_handed_out(queue: PlayoutQueue) -> None:
    mark = queue.play(constant(FRAME * 2))
    assert [queue.cut(fill=False), queue.cut(fill=False)] == [constant(FRAME)] * 2
    assert (queue.played_samples, queue.queued_samples, queue.cut_frames) == (0, 2 * FRAME, 2)
    assert not queue.has_uncut
    first = queue.hand_out()
    assert (first.pcm, first.started_at, queue.played_samples) == (constant(FRAME), 0, FRAME)
    assert queue.hand_out().marks == ((mark, FRAME),)
    assert queue.hand_out().pcm == bytes(FRAME * 2)


def test_less_than_a_frame_is_cut_only_when_asked_for_and_later_audio_starts_a_new_frame(queue: PlayoutQueue) -> None:
    queue.play(constant(100, 1))
    assert queue.cut(fill=False) is None
    assert queue.cut(fill=True) == constant(100, 1) + bytes(120)
    queue.play(constant(FRAME, 2))
    assert queue.cut(fill=False) == constant(FRAME, 2)
    assert [queue.hand_out().played, queue.hand_out().played] == [100, FRAME]
    assert queue.played_samples == 100 + FRAME


def test_clear_fades_out_what_would_have_been_heard_next_of_the_frames_cut_ahead(queue: PlayoutQueue) -> None:
    queue.play(constant(FRAME * 3))
    for _ in range(3):
        queue.cut(fill=False)
    queue.hand_out()
    queue.clear()
    assert (queue.cut_frames, queue.queued_samples) == (0, 40)
    tail = samples_of(queue.cut(fill=True) or b"")
    assert tail[0] > LOUD * 0.9
    assert tail[39] < LOUD * 0.1
    assert tail[40:] == (0,) * 120
    assert queue.hand_out().played == 40
    assert queue.played_samples == FRAME + 40


def test_clear_again_before_the_ramp_was_handed_out_keeps_the_ramp(queue: PlayoutQueue) -> None:
    queue.play(constant(FRAME * 3))
    next_frame(queue)
    queue.clear()
    ramp = queue.cut(fill=True)
    queue.clear()
    assert queue.cut(fill=True) == ramp


def test_clear_of_frames_of_which_none_was_handed_out_leaves_nothing(queue: PlayoutQueue) -> None:
    queue.play(constant(FRAME * 3))
    queue.cut(fill=False)
    queue.clear()
    assert (queue.queued_samples, queue.has_uncut, queue.cut_frames) == (0, False, 0)
    assert queue.play(constant(10)) == 10
