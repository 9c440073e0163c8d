"""A Synthesizer that remembers: fixed prompts come from disk, what was said lately from memory.

Sits in the call process, before the gRPC client, so that a cached sentence costs no round trip. Sentences made for one
caller (a number read back, a summary) hold personal data: they are in memory only.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import logging
import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from parley.conversation.errors import EngineError
from parley.conversation.ports import SpeechChunk, SpeechRequest, Synthesizer, WordTime
from parley.inference.streams import closing

logger = logging.getLogger(__name__)

MAGIC = b"parley speech 1\n"
SUFFIX = ".speech"
PARTIAL = ".part"
PARTIAL_KEPT_S = 60.0
"""A younger one may be another process's, which is still writing it."""
EVICT_TO = 0.9
READ_WITHIN_S = 0.1
"""An engine begins to speak after about as long; a caller does not wait longer for the disk."""
WRITE_WITHIN_S = 5.0
MAX_WAITING = 16
"""Reads and writes that wait for the disk at once."""

Result = TypeVar("Result")


class CachedSynthesizer:
    """Synthesizer in front of another one.

    A sentence is kept when the engine has spoken all of it, under a hash of all that its sound depends on. Only
    `warm()` writes to the disk. A disk that gets stuck costs each sentence READ_WITHIN_S at most.
    """

    def __init__(
        self,
        inner: Synthesizer,
        directory: Path,
        *,
        engine_versions: Mapping[str, str] = MappingProxyType({}),
        max_bytes: int = 512 << 20,
        memory_bytes: int = 32 << 20,
    ) -> None:
        """Prepare; the directory is made by `warm()`.

        engine_versions: by engine, whatever changes when it starts to sound different.   max_bytes: on disk.
        memory_bytes: of the most recently used sentences in memory.
        """
        self._inner = inner
        self._files = SpeechFiles(directory, max_bytes)
        self._disk = _Disk()
        self._engine_versions = engine_versions
        self._memory: OrderedDict[str, SpeechChunk] = OrderedDict()
        self._memory_bytes = memory_bytes
        self._memory_used = 0
        self.hits = 0
        self.misses = 0

    @property
    def refused(self) -> int:
        """Reads and writes of files that were left out because too much waited for the disk."""
        return self._disk.refused

    @property
    def memory_used(self) -> int:
        """Octets of speech in memory."""
        return self._memory_used

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
        """Yield the sentence's audio, in one chunk if it is known. Raises EngineError."""
        key = self._key(request)
        known = self._recall(key) or await self._read(key)
        if known is not None:
            self.hits += 1
            yield known
            return
        self.misses += 1
        spoken: list[SpeechChunk] = []
        async with closing(self._inner.synthesize(request)) as chunks:
            async for chunk in chunks:
                spoken.append(chunk)
                yield chunk
        self._keep(key, _joined(spoken))

    async def warm(self, requests: Iterable[SpeechRequest], concurrency: int = 2) -> int:
        """Have these sentences on disk, spoken `concurrency` at a time; return how many failed (each is logged).

        They must be the same for every caller.
        """
        remaining = iter(dict.fromkeys(requests))
        failed = 0

        async def work() -> None:
            nonlocal failed
            for request in remaining:
                try:
                    await self._have_on_disk(request)
                except EngineError as err:
                    failed += 1
                    logger.warning("a prompt cannot be spoken in advance", extra={"code": err.code})

        await self._change(self._files.open)
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
        return failed

    async def _have_on_disk(self, request: SpeechRequest) -> None:
        """Find a sentence on disk, or store it there. Raises EngineError."""
        key = self._key(request)
        if await self._read(key) is not None:
            return
        async with closing(self.synthesize(request)) as chunks:
            speech = _joined([chunk async for chunk in chunks])
        if speech.pcm:
            await self._change(self._files.write, key, speech)

    def _key(self, request: SpeechRequest) -> str:
        version = self._engine_versions.get(request.engine, "")
        parts = [request.engine, version, request.voice, request.language, request.rate_hz, request.text]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _recall(self, key: str) -> SpeechChunk | None:
        known = self._memory.get(key)
        if known is not None:
            self._memory.move_to_end(key)
        return known

    async def _read(self, key: str) -> SpeechChunk | None:
        """Return a sentence from the disk; None if it is not there, or does not come in time."""
        try:
            known = await self._disk.run(READ_WITHIN_S, self._files.read, key)
        except OSError:  # TimeoutError is one
            return None
        if known is not None:
            self._keep(key, known)
        return known

    async def _change(self, change: Callable[..., None], *args: object) -> None:
        """Let a thread change the files; the cache works without them, too."""
        try:
            await self._disk.run(WRITE_WITHIN_S, change, *args)
        except OSError as err:
            logger.warning("the speech cache cannot be written", extra={"error": err.strerror or "no answer"})

    def _keep(self, key: str, speech: SpeechChunk) -> None:
        """Have a sentence in memory; nothing, as the engine may speak, is not worth a place."""
        if not speech.pcm:
            return
        previous = self._memory.pop(key, None)
        self._memory_used += len(speech.pcm) - (len(previous.pcm) if previous else 0)
        self._memory[key] = speech
        while self._memory_used > self._memory_bytes:
            self._memory_used -= len(self._memory.popitem(last=False)[1].pcm)


class _Disk:
    """A thread for the files of one cache: a disk that gets stuck holds nothing else up."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="speech-cache")
        self._room = threading.BoundedSemaphore(MAX_WAITING)
        self.refused = 0

    async def run(self, within_s: float, work: Callable[..., Result], *args: object) -> Result:
        """Do the work in the thread.

        Raises TimeoutError, OSError at once when too much waits already, and what the work raises.
        Too late or cancelled: what has begun is finished, unheard.
        """
        if not self._room.acquire(blocking=False):
            self.refused += 1
            raise OSError(errno.EBUSY, "too much waits for the disk")
        working = self._thread.submit(work, *args)
        working.add_done_callback(lambda _: self._room.release())
        async with asyncio.timeout(within_s):
            return await asyncio.wrap_future(working)


class SpeechFiles:
    """Sentences as files: written atomically, checked when read, the least recently used removed first.

    Synchronous, for one thread. Several processes may share the directory; each counts what it found and wrote.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._used: int | None = None

    def open(self) -> None:
        """Make the directory, remove what a crash left half written, and count. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._directory.glob(f"*{PARTIAL}"):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > PARTIAL_KEPT_S:
                    left.unlink()
        self._used = sum(stat.st_size for _, stat in self._scan())

    def read(self, key: str) -> SpeechChunk | None:
        """Return a sentence; None if it is not there or is damaged (then it is removed). Raises OSError."""
        path = self._directory / f"{key}{SUFFIX}"
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        speech = unpack(content)
        if speech is None:
            logger.warning("a damaged file in the speech cache is made anew", extra={"file": path.name})
            path.unlink(missing_ok=True)
        return speech

    def write(self, key: str, speech: SpeechChunk) -> None:
        """Store a sentence. Raises OSError."""
        if self._used is None:
            self.open()
        content = pack(speech)
        handle, name = tempfile.mkstemp(dir=self._directory, suffix=PARTIAL)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(self._directory / f"{key}{SUFFIX}")
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        self._used = (self._used or 0) + len(content)
        if self._used > self._max_bytes:
            self._evict()

    def _evict(self) -> None:
        """Make room for a while: down to EVICT_TO of what is allowed."""
        files = sorted(self._scan(), key=lambda file: file[1].st_mtime_ns)
        used = sum(stat.st_size for _, stat in files)
        for path, stat in files:
            if used <= self._max_bytes * EVICT_TO:
                break
            path.unlink(missing_ok=True)
            used -= stat.st_size
        self._used = used

    def _scan(self) -> list[tuple[Path, os.stat_result]]:
        with os.scandir(self._directory) as entries:
            return [(Path(entry.path), entry.stat()) for entry in entries if entry.name.endswith(SUFFIX)]


def pack(speech: SpeechChunk) -> bytes:
    """Make a file's content: magic, SHA-256 of the rest, a line of JSON with the word times, PCM."""
    words = [[word.text, word.start_samples, word.end_samples] for word in speech.alignment]
    body = json.dumps(words).encode() + b"\n" + speech.pcm
    return MAGIC + hashlib.sha256(body).digest() + body


def unpack(content: bytes) -> SpeechChunk | None:
    """Read a file's content; None if it is damaged."""
    digest, body = content[len(MAGIC) : len(MAGIC) + 32], content[len(MAGIC) + 32 :]
    if not content.startswith(MAGIC) or hashlib.sha256(body).digest() != digest:
        return None
    words, _, pcm = body.partition(b"\n")
    return SpeechChunk(pcm, tuple(WordTime(*word) for word in json.loads(words)))


def _joined(chunks: Iterable[SpeechChunk]) -> SpeechChunk:
    spoken = list(chunks)
    return SpeechChunk(
        b"".join(chunk.pcm for chunk in spoken), tuple(word for chunk in spoken for word in chunk.alignment)
    )
