"""A Synthesizer that remembers: fixed prompts are spoken by the engine once and come from disk or memory after.

Sits in the call process, before the gRPC client, so that a cached sentence costs no round trip.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import tempfile
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from parley.conversation.errors import EngineError
from parley.conversation.ports import SpeechChunk, SpeechRequest, Synthesizer, WordTime
from parley.inference.streams import closing

logger = logging.getLogger(__name__)

MAGIC = b"parley speech 1\n"
SUFFIX = ".speech"


class CachedSynthesizer:
    """Synthesizer in front of another one.

    A sentence is stored when the engine has spoken all of it, under a hash of all that its sound depends on.
    """

    def __init__(
        self,
        inner: Synthesizer,
        directory: Path,
        *,
        engine_version: str = "",
        max_bytes: int = 512 << 20,
        memory_bytes: int = 32 << 20,
    ) -> None:
        """Prepare; the directory is made at the first sentence.

        engine_version: whatever changes when the engine starts to sound different.   max_bytes: on disk.
        memory_bytes: of the most recently used sentences in memory.
        """
        self._inner = inner
        self._disk = SpeechFiles(directory, max_bytes)
        self._engine_version = engine_version
        self._memory: OrderedDict[str, SpeechChunk] = OrderedDict()
        self._memory_bytes = memory_bytes
        self._memory_used = 0
        self.hits = 0
        self.misses = 0

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
        """Yield the sentence's audio, in one chunk if it is known. Raises EngineError."""
        key = self._key(request)
        known = await self._find(key)
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
        await self._remember(key, _joined(spoken))

    async def warm(self, requests: Iterable[SpeechRequest], concurrency: int = 2) -> int:
        """Have these sentences spoken, `concurrency` at a time; return how many failed (each is logged)."""
        remaining = iter(dict.fromkeys(requests))
        failed = 0

        async def work() -> None:
            nonlocal failed
            for request in remaining:
                try:
                    async with closing(self.synthesize(request)) as chunks:
                        async for _ in chunks:
                            pass
                except EngineError as err:
                    failed += 1
                    logger.warning("a prompt cannot be spoken in advance", extra={"code": err.code})

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
        return failed

    def _key(self, request: SpeechRequest) -> str:
        parts = [request.engine, self._engine_version, request.voice, request.language, request.rate_hz, request.text]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    async def _find(self, key: str) -> SpeechChunk | None:
        known = self._memory.get(key)
        if known is not None:
            self._memory.move_to_end(key)
            return known
        known = await asyncio.to_thread(self._disk.read, key)
        if known is not None:
            self._keep(key, known)
        return known

    async def _remember(self, key: str, speech: SpeechChunk) -> None:
        if not speech.pcm:
            return
        self._keep(key, speech)
        try:
            await asyncio.to_thread(self._disk.write, key, speech)
        except OSError as err:
            logger.warning("the speech cache cannot be written", extra={"error": err.strerror})

    def _keep(self, key: str, speech: SpeechChunk) -> None:
        previous = self._memory.pop(key, None)
        self._memory_used += len(speech.pcm) - (len(previous.pcm) if previous else 0)
        self._memory[key] = speech
        while self._memory_used > self._memory_bytes:
            self._memory_used -= len(self._memory.popitem(last=False)[1].pcm)


class SpeechFiles:
    """Sentences as files: written atomically, checked when read, the least recently used removed first.

    Synchronous; called in threads. Several processes may share the directory.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes

    def read(self, key: str) -> SpeechChunk | None:
        """Return a sentence; None if it is not there or is damaged (then it is removed)."""
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
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._directory, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pack(speech))
            Path(name).replace(self._directory / f"{key}{SUFFIX}")
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        self._evict()

    def _evict(self) -> None:
        with os.scandir(self._directory) as entries:
            files = [(entry, entry.stat()) for entry in entries if entry.name.endswith(SUFFIX)]
        used = sum(stat.st_size for _, stat in files)
        for entry, stat in sorted(files, key=lambda file: file[1].st_mtime_ns):
            if used <= self._max_bytes:
                return
            Path(entry.path).unlink(missing_ok=True)
            used -= stat.st_size


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
