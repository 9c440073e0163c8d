import os
from collections.abc import Iterator

import pytest

from parley.app.log_stream import LogStream

PATIENCE_S = 10.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe as a log reader has it: (its end, ours)."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_lines_arrive_whole_and_in_order(pipe: tuple[int, int]) -> None:
    stream = LogStream(pipe[1])
    for number in range(100):
        stream.write(f"line {number}\n")
    assert stream.drain(PATIENCE_S)
    assert os.read(pipe[0], 65536).decode().splitlines() == [f"line {number}" for number in range(100)]
    assert stream.lost == 0


def test_reader_that_is_stuck_holds_nobody_up_and_what_finds_no_room_is_counted(pipe: tuple[int, int]) -> None:
    stream = LogStream(pipe[1], max_octets=200_000)
    line = "x" * 999 + "\n"
    for _ in range(1000):
        stream.write(line)
    assert not stream.drain(0.05)
    assert 700 <= stream.lost <= 800
    read = 0
    while read < (1000 - stream.lost) * len(line):
        read += len(os.read(pipe[0], 1 << 20))
    assert stream.drain(PATIENCE_S)
    stream.write("again\n")
    assert stream.drain(PATIENCE_S)
    assert os.read(pipe[0], 100) == b"again\n"


def test_reader_that_is_gone_loses_the_lines_and_no_more() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = LogStream(writing)
    stream.write("to nobody\n")
    assert stream.drain(PATIENCE_S)
    os.close(writing)


def test_text_that_is_no_unicode_is_written_out(pipe: tuple[int, int]) -> None:
    stream = LogStream(pipe[1])
    stream.write("caller \udc80\n")
    assert stream.drain(PATIENCE_S)
    assert os.read(pipe[0], 100) == b"caller \\udc80\n"
