"""Recording of a call as a stereo WAV file: the caller on the left, the agent on the right.

An audio connection's `record_to()` feeds it as the media go on; the disk is only touched by a few threads of its own,
so that a disk that gets stuck holds up nothing but recordings.
"""

from __future__ import annotations

import asyncio
import logging
import os
import struct
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from media_core.pcm import interleave

logger = logging.getLogger(__name__)

FILE_MODE = 0o640
FOLDER_MODE = 0o750
WRITE_EVERY_S = 1
MAX_WAITING_S = 10
"""A disk that is further behind than this has failed."""
CLOSE_WITHIN_S = 5
WRITERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="recording")
"""The threads of all recordings. Each recorder has one piece of work with them at a time."""
WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
MAX_WAV_OCTETS = 0xFFFF_FFFF - WAV_HEADER.size
"""RIFF counts with 32 bits: 37 hours of stereo at 8 kHz."""


class StereoRecorder:
    """Write both sides of a call, aligned on the session clock, to a file that is playable at any moment.

    Time 0 of the file is the first frame of the agent's side after it was attached. When the disk fails, that is
    logged once, what was written stays, and the call goes on.
    """

    def __init__(self, path: Path, rate_hz: int, writers: Executor = WRITERS) -> None:
        """Record to a file that does not exist yet; its folders are made with the first second.

        writers: threads that may be held up by the disk; never the event loop's own.
        """
        self._file = _WavFile(path, rate_hz)
        self._rate_hz = rate_hz
        self._writers = writers
        self._caller = _Channel()
        self._agent = _Channel()
        self._handed_over: tuple[bytes, bytes] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._stopped = False
        self._close_later = False
        self.failed = False
        """The disk did not take everything; the reason is in the log."""

    def hear_caller(self, position: int, pcm: bytes) -> None:
        """Take what the caller said from this position on (int16 little-endian mono)."""
        if not self._stopped and self._agent.begun:
            self._caller.place(position, pcm)

    def hear_agent(self, position: int, pcm: bytes) -> None:
        """Take what was sent to the caller from this position on, silence included."""
        if self._stopped:
            return
        if not self._agent.begun:
            self._agent.begin(position)
            self._caller.begin(position)
        self._agent.place(position, pcm)
        ready = min(self._caller.samples, self._agent.samples)
        if ready < WRITE_EVERY_S * self._rate_hz:
            return
        if self._writing is None:
            self._write(ready)
        elif ready > MAX_WAITING_S * self._rate_hz:
            self._fail("the disk does not keep up")

    async def aclose(self) -> None:
        """Write what is left and close the file. May be called twice.

        Waits CLOSE_WITHIN_S for a stuck disk, not at all if the recording has failed by it before; the file is closed
        when the disk lets go of it.
        """
        self._stopped = True
        if not self.failed:
            await self._settle()
        rest = max(self._caller.samples, self._agent.samples)
        if self._writing is None and rest:
            self._write(rest)
            await self._settle()
        if self._writing is None:
            self._work(self._file.close)
            await self._settle()
        if self._writing is not None:
            self._close_later = True
            self._fail("the disk does not answer")

    async def _settle(self) -> None:
        """Wait for the work in the writers' hands."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=CLOSE_WITHIN_S)

    def _write(self, samples: int) -> None:
        """Hand this many samples of both sides to a writer."""
        self._handed_over = self._caller.take(samples), self._agent.take(samples)
        self._work(self._append)

    def _work(self, work: Callable[[], None]) -> None:
        self._writing = asyncio.get_running_loop().run_in_executor(self._writers, work)
        self._writing.add_done_callback(self._written)

    def _append(self) -> None:
        """Write what was handed over, unless the recorder has taken it back meanwhile; in a writer's thread."""
        handed_over, self._handed_over = self._handed_over, None
        if handed_over is not None:
            self._file.append(*handed_over)

    def _written(self, writing: asyncio.Future[None]) -> None:
        self._writing = None
        if writing.cancelled():
            self._fail("cancelled")
        elif (error := writing.exception()) is not None:
            self._fail(str(error))
        if self._close_later:
            self._close_later = False
            self._work(self._file.close)

    def _fail(self, reason: str) -> None:
        self._stopped = True
        self._handed_over = None
        self._caller.clear()
        self._agent.clear()
        if not self.failed:
            self.failed = True
            logger.error("recording stopped, the call goes on", extra={"path": str(self._file.path), "reason": reason})


class _Channel:
    """One side of the call on its way to the file, without holes."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._end: int | None = None

    @property
    def begun(self) -> bool:
        return self._end is not None

    @property
    def samples(self) -> int:
        return len(self._pcm) // 2

    def begin(self, position: int) -> None:
        self._end = position

    def place(self, position: int, pcm: bytes) -> None:
        """Add audio at its place: holes become silence, what lies before the end so far is left out."""
        end = position if self._end is None else self._end
        missing = position - end
        self._pcm += bytes(max(0, missing) * 2) + pcm[max(0, -missing) * 2 :]
        self._end = max(end, position + len(pcm) // 2)

    def take(self, samples: int) -> bytes:
        pcm = bytes(self._pcm[: samples * 2])
        del self._pcm[: samples * 2]
        return pcm

    def clear(self) -> None:
        self._pcm.clear()


class _WavFile:
    """A stereo WAV file whose header is true after every `append()`. For one worker thread at a time."""

    def __init__(self, path: Path, rate_hz: int) -> None:
        self.path = path
        self._rate_hz = rate_hz
        self._descriptor: int | None = None
        self._octets = 0

    def append(self, left: bytes, right: bytes) -> None:
        """Add samples, then make the header promise them. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = self._create()
        stereo = interleave(left, right)
        _write_at(self._descriptor, WAV_HEADER.size + self._octets, stereo)
        self._octets = min(self._octets + len(stereo), MAX_WAV_OCTETS)
        _write_at(self._descriptor, 0, self._header())

    def close(self) -> None:
        """Close the file. May be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _create(self) -> int:
        self.path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)  # whatever the umask took away
        return descriptor

    def _header(self) -> bytes:
        riff = self._octets + WAV_HEADER.size - 8
        rate = self._rate_hz
        return WAV_HEADER.pack(b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, 2, rate, rate * 4, 4, 16, b"data", self._octets)


def _write_at(descriptor: int, offset: int, octets: bytes) -> None:
    """Write all of it. Raises OSError."""
    rest = memoryview(octets)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest = rest[written:]
        offset += written
