import pytest

from tests.support.phone_media import _ReceiveLine

SPEECH, SILENCE = b"\x00\x10" * 160, bytes(320)
STEP_S, STEP = 0.02, 160


def placed(line: _ReceiveLine, number: int, at_s: float, pcm: bytes = SPEECH) -> float:
    """Place packet `number` that arrives at this time; return its place in packets after the first."""
    return (line.place(number * STEP, at_s, pcm) - 10.0) / STEP_S


def test_jitter_does_not_tear_speech_apart() -> None:
    line = _ReceiveLine(1, None)
    arrivals = [10.0, 10.031, 10.035, 10.09, 10.082]
    assert [placed(line, n, at) for n, at in enumerate(arrivals)] == pytest.approx([0, 1, 2, 3, 4])


def test_burst_is_heard_one_packet_after_another() -> None:
    line = _ReceiveLine(1, None)
    assert [placed(line, n, 10.0) for n in range(50)] == pytest.approx(range(50))


def test_pause_of_the_sender_is_a_pause_for_the_listener() -> None:
    line = _ReceiveLine(1, None)
    placed(line, 0, 10.0)
    assert placed(line, 1, 10.52) == pytest.approx(26)
    assert placed(line, 2, 10.54) == pytest.approx(27)


def test_time_stamp_that_jumps_ahead_is_not_believed() -> None:
    line = _ReceiveLine(1, None)
    placed(line, 0, 10.0)
    assert placed(line, 5000, 10.02) == pytest.approx(1)


def test_listener_catches_up_in_the_next_silence() -> None:
    line = _ReceiveLine(1, None)
    placed(line, 0, 10.0)
    placed(line, 1, 10.22)
    late = [placed(line, n, 10.22 + 0.001 * n) for n in range(2, 11)]
    assert late == pytest.approx(range(12, 21))
    assert placed(line, 11, 10.225, SILENCE) == pytest.approx(11.25)
    assert placed(line, 12, 10.245) == pytest.approx(12.25)
