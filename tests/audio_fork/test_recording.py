from __future__ import annotations

import asyncio
import logging
import os
import stat
import struct
import threading
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from audio_fork import recording
from audio_fork.recording import StereoRecorder

RATE = 8000
FRAME = 160


def frame(value: int) -> bytes:
    return struct.pack("<h", value) * FRAME


def sides(path: Path) -> tuple[list[int], list[int]]:
    """Return the left and the right channel of a recording."""
    with wave.open(str(path), "rb") as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, RATE)
        stereo = wav.readframes(wav.getnframes())
        assert len(stereo) == wav.getnframes() * 4
    samples = struct.unpack(f"<{len(stereo) // 2}h", stereo)
    return list(samples[0::2]), list(samples[1::2])


def feed(recorder: StereoRecorder, first: int, count: int) -> None:
    """Let frames number `first` onwards pass: value n + 1 from the caller, -(n + 1) from the agent."""
    for n in range(first, first + count):
        recorder.hear_caller(n * FRAME, frame(n + 1))
        recorder.hear_agent(n * FRAME, frame(-n - 1))


def promised_octets(path: Path) -> int:
    """Return how much audio the header says there is; 0 while there is no header."""
    header = path.read_bytes()[:44] if path.exists() else b""
    return int.from_bytes(header[40:44], "little")


async def written(path: Path) -> None:
    """Wait, within bounds, until a worker thread has made the file playable."""
    for _ in range(2000):
        if promised_octets(path):
            return
        await asyncio.sleep(0.001)
    raise TimeoutError(f"{path.name} was not written")


async def test_the_caller_is_left_and_the_agent_right_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "2026" / "01" / "02" / "call.wav"
    recorder = StereoRecorder(path, RATE)
    feed(recorder, 5, 4)
    await recorder.aclose()
    left, right = sides(path)
    assert left[::FRAME] == [0, 7, 8, 9]  # the caller's frame that came before the first of the agent's is left out
    assert right[::FRAME] == [-6, -7, -8, -9]
    assert not recorder.failed


async def test_the_callers_side_is_placed_by_its_position_not_by_when_it_came(tmp_path: Path) -> None:
    recorder = StereoRecorder(tmp_path / "call.wav", RATE)
    for n in range(6):
        recorder.hear_caller((n - 2) * FRAME, frame(n + 1))  # what was said 40 ms ago
        recorder.hear_agent(n * FRAME, frame(-n - 1))
    await recorder.aclose()
    left, right = sides(tmp_path / "call.wav")
    assert left[::FRAME] == [3, 4, 5, 6, 0, 0]
    assert right[::FRAME] == [-1, -2, -3, -4, -5, -6]


async def test_a_hole_becomes_silence(tmp_path: Path) -> None:
    recorder = StereoRecorder(tmp_path / "call.wav", RATE)
    feed(recorder, 0, 1)
    feed(recorder, 3, 1)
    await recorder.aclose()
    _, right = sides(tmp_path / "call.wav")
    assert right[::FRAME] == [-1, 0, 0, -4]


async def test_the_file_is_playable_within_a_second_without_being_closed(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    recorder = StereoRecorder(path, RATE)
    feed(recorder, 0, 51)
    await written(path)
    left, right = sides(path)
    assert len(left) == len(right) >= RATE
    await recorder.aclose()
    assert len(sides(path)[0]) == 51 * FRAME


async def test_the_file_is_readable_by_owner_and_group_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        recorder = StereoRecorder(tmp_path / "call.wav", RATE)
        feed(recorder, 0, 1)
        await recorder.aclose()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "call.wav").stat().st_mode) == 0o640


async def test_a_failing_disk_is_logged_once_and_never_raised(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "not-a-folder").touch()
    recorder = StereoRecorder(tmp_path / "not-a-folder" / "call.wav", RATE)
    with caplog.at_level(logging.ERROR, "audio_fork"):
        feed(recorder, 0, 60)
        await recorder.aclose()
        feed(recorder, 60, 60)
        await recorder.aclose()
    assert recorder.failed
    assert [record.message for record in caplog.records] == ["recording stopped, the call goes on"]


async def test_a_full_disk_keeps_what_was_written_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "call.wav"
    recorder = StereoRecorder(path, RATE)
    feed(recorder, 0, 51)
    await written(path)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    feed(recorder, 51, 60)
    await recorder.aclose()
    monkeypatch.undo()
    assert recorder.failed
    assert len(caplog.records) == 1
    assert len(sides(path)[0]) == 50 * FRAME


async def test_an_existing_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(b"an earlier one")
    recorder = StereoRecorder(path, RATE)
    feed(recorder, 0, 60)
    await recorder.aclose()
    assert recorder.failed
    assert path.read_bytes() == b"an earlier one"


async def test_closing_twice_or_without_audio_does_nothing(tmp_path: Path) -> None:
    recorder = StereoRecorder(tmp_path / "call.wav", RATE)
    await recorder.aclose()
    await recorder.aclose()
    assert not (tmp_path / "call.wav").exists()
    assert not recorder.failed


async def test_a_disk_that_does_not_keep_up_stops_the_recording_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = StereoRecorder(tmp_path / "call.wav", RATE)
    feed(recorder, 0, 51)  # the first second is with the worker thread and its answer has not come back yet
    feed(recorder, 51, 11 * 50)
    assert recorder.failed
    await recorder.aclose()


class StuckDisk:
    """Writes wait until the disk is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._released = threading.Event()
        self._write = os.pwrite
        self.writers = ThreadPoolExecutor(max_workers=2)
        monkeypatch.setattr(os, "pwrite", self._wait_and_write)
        monkeypatch.setattr(recording, "CLOSE_WITHIN_S", 0.01)

    def release(self) -> None:
        self._released.set()

    def _wait_and_write(self, descriptor: int, octets: memoryview, offset: int) -> int:
        self._released.wait(20)
        return self._write(descriptor, octets, offset)


@pytest.fixture
def stuck_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[StuckDisk]:
    disk = StuckDisk(monkeypatch)
    yield disk
    disk.release()
    disk.writers.shutdown()


async def test_a_stuck_disk_holds_up_no_threads_but_those_of_recordings(tmp_path: Path, stuck_disk: StuckDisk) -> None:
    only_thread = ThreadPoolExecutor(max_workers=1)
    asyncio.get_running_loop().set_default_executor(only_thread)
    recorders = [StereoRecorder(tmp_path / f"{n}.wav", RATE, stuck_disk.writers) for n in range(4)]
    for recorder in recorders:
        feed(recorder, 0, 51)
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "free") == "free"
        for recorder in recorders:
            await recorder.aclose()
    assert all(recorder.failed for recorder in recorders)
    stuck_disk.release()
    await asyncio.sleep(0)


async def test_the_default_writers_are_few_and_not_the_loops(tmp_path: Path) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1, thread_name_prefix="default"))
    recorder = StereoRecorder(tmp_path / "call.wav", RATE)
    feed(recorder, 0, 51)
    await recorder.aclose()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("default")]
    assert 1 <= len([name for name in names if name.startswith("recording")]) <= 4


async def test_a_disk_that_lets_go_after_the_end_gets_the_file_closed(tmp_path: Path, stuck_disk: StuckDisk) -> None:
    path = tmp_path / "call.wav"
    recorder = StereoRecorder(path, RATE, stuck_disk.writers)
    feed(recorder, 0, 51)
    await recorder.aclose()
    assert recorder.failed
    assert path.exists()
    assert is_open(path)
    stuck_disk.release()
    async with asyncio.timeout(5):
        while is_open(path):
            await asyncio.sleep(0.001)
    assert len(sides(path)[0]) == 50 * FRAME


def is_open(path: Path) -> bool:
    """Tell whether this process has the file open."""
    wanted, found = path.stat(), []
    for descriptor in range(1024):
        with suppress(OSError):
            found.append(os.fstat(descriptor))
    return any(os.path.samestat(wanted, other) for other in found)


async def test_what_a_failed_recording_had_waiting_for_the_disk_is_never_written(
    tmp_path: Path, stuck_disk: StuckDisk
) -> None:
    recorders = [StereoRecorder(tmp_path / f"{n}.wav", RATE, stuck_disk.writers) for n in range(3)]
    for recorder in recorders:
        feed(recorder, 0, 51)
    for recorder in recorders:
        await recorder.aclose()
    stuck_disk.release()
    stuck_disk.writers.submit(lambda: None).result(5)
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.wav", "1.wav"]
