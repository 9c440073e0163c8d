"""Sentences are spoken once; the cache stays within its bounds and heals."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from parley.conversation.errors import EngineError, EngineUnavailable
from parley.conversation.ports import SpeechChunk, SpeechRequest, WordTime
from parley.inference import speech_cache
from parley.inference.speech_cache import SUFFIX, CachedSynthesizer, SpeechFiles, pack, unpack
from tests.contract.synthesizer_contract import SynthesizerContract, chunks_of
from tests.fakes.synthesizer import FakeSynthesizer

HELLO = SpeechRequest("hello there caller", "en", "rms", 8000, "flite")


class TestCachedSynthesizer(SynthesizerContract):
    @pytest.fixture
    def synthesizer(self, tmp_path: Path) -> CachedSynthesizer:
        return CachedSynthesizer(FakeSynthesizer(align=True), tmp_path / "speech")

    @pytest.fixture
    def sentence(self) -> SpeechRequest:
        return HELLO


def stored(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{SUFFIX}"))


async def test_second_time_the_engine_is_not_asked_and_the_audio_is_the_same(tmp_path: Path) -> None:
    inner = FakeSynthesizer(align=True)
    cache = CachedSynthesizer(inner, tmp_path)
    first = await chunks_of(cache, HELLO)
    (second,) = await chunks_of(cache, HELLO)
    assert second.pcm == b"".join(chunk.pcm for chunk in first)
    assert [word.text for word in second.alignment] == ["hello", "there", "caller"]
    assert len(inner.requests) == cache.hits == cache.misses == 1


async def test_another_process_finds_a_prompt_on_disk_with_its_word_times(tmp_path: Path) -> None:
    warmed = CachedSynthesizer(FakeSynthesizer(align=True), tmp_path)
    assert await warmed.warm([HELLO]) == 0
    first = await chunks_of(warmed, HELLO)
    inner = FakeSynthesizer()
    (known,) = await chunks_of(CachedSynthesizer(inner, tmp_path), HELLO)
    assert known.alignment == tuple(word for chunk in first for word in chunk.alignment)
    assert inner.requests == []


async def test_sentence_said_to_a_caller_is_never_on_disk(tmp_path: Path) -> None:
    cache = CachedSynthesizer(FakeSynthesizer(), tmp_path / "speech")
    await cache.warm([HELLO])
    for text in ("your number is one two three", "hello there caller"):
        await chunks_of(cache, replace(HELLO, text=text))
    assert len(stored(tmp_path / "speech")) == 1
    assert await CachedSynthesizer(FakeSynthesizer(), tmp_path / "speech").warm([HELLO]) == 0


async def test_prompt_that_was_said_before_it_is_warmed_is_stored_without_asking_the_engine_again(
    tmp_path: Path,
) -> None:
    inner = FakeSynthesizer()
    cache = CachedSynthesizer(inner, tmp_path)
    await chunks_of(cache, HELLO)
    assert await cache.warm([HELLO]) == 0
    assert len(stored(tmp_path)) == len(inner.requests) == 1


@pytest.mark.parametrize(
    "other",
    [
        SpeechRequest("hello there", "en", "rms", 8000, "flite"),
        SpeechRequest("hello there caller", "fr", "rms", 8000, "flite"),
        SpeechRequest("hello there caller", "en", "slt", 8000, "flite"),
        SpeechRequest("hello there caller", "en", "rms", 16000, "flite"),
        SpeechRequest("hello there caller", "en", "rms", 8000, "espeak-ng"),
    ],
)
async def test_whatever_changes_the_sound_is_another_sentence(tmp_path: Path, other: SpeechRequest) -> None:
    inner = FakeSynthesizer()
    cache = CachedSynthesizer(inner, tmp_path)
    await chunks_of(cache, HELLO)
    await chunks_of(cache, other)
    assert inner.requests == [HELLO, other]


async def test_other_engine_version_speaks_anew(tmp_path: Path) -> None:
    inner = FakeSynthesizer()
    other = replace(HELLO, engine="piper")
    for version in ("2.1", "2.2"):
        await CachedSynthesizer(inner, tmp_path, engine_versions={"flite": version}).warm([HELLO, other])
    assert inner.requests == [HELLO, other, HELLO]


async def test_damaged_file_is_made_anew(tmp_path: Path) -> None:
    await CachedSynthesizer(FakeSynthesizer(), tmp_path).warm([HELLO])
    (file,) = stored(tmp_path)
    content = file.read_bytes()
    for damaged in (b"", content[:-1], content[:-1] + b"\xff", b"RIFF" + content):
        file.write_bytes(damaged)
        inner = FakeSynthesizer()
        await CachedSynthesizer(inner, tmp_path).warm([HELLO])
        assert len(inner.requests) == 1
        assert file.read_bytes() == content


async def test_sentence_that_failed_or_was_interrupted_is_not_kept(tmp_path: Path) -> None:
    cache = CachedSynthesizer(FakeSynthesizer(errors=[EngineError("broken")] * 2, error_after_words=1), tmp_path)
    assert await cache.warm([HELLO]) == 1
    with pytest.raises(EngineError, match="broken"):
        await chunks_of(cache, HELLO)
    speaking = cache.synthesize(HELLO)
    await anext(speaking)
    await speaking.aclose()
    assert stored(tmp_path) == []
    assert len(await chunks_of(cache, HELLO)) == 3


SECOND = SpeechChunk(b"\0\0" * 8000)


def test_least_recently_used_is_removed_first(tmp_path: Path) -> None:
    files = SpeechFiles(tmp_path, max_bytes=int(3.5 * len(pack(SECOND))))
    for age, key in enumerate(("oldest", "used", "young")):
        files.write(key, SECOND)
        os.utime(tmp_path / f"{key}{SUFFIX}", ns=(age, age))
    assert files.read("used") is not None
    files.write("newest", SECOND)
    assert [path.stem for path in stored(tmp_path)] == ["newest", "used", "young"]


def test_room_is_counted_from_what_was_there_and_looked_for_only_when_it_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = 0
    scandir = os.scandir

    def counting(path: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        nonlocal scans
        scans += 1
        return scandir(path)

    SpeechFiles(tmp_path, max_bytes=1 << 20).write("before", SECOND)
    files = SpeechFiles(tmp_path, max_bytes=20 * len(pack(SECOND)))
    files.open()
    monkeypatch.setattr(os, "scandir", counting)
    for number in range(19):
        files.write(str(number), SECOND)
    assert scans == 0
    files.write("too much", SECOND)
    assert scans == 1
    assert len(stored(tmp_path)) == 18


async def test_half_written_files_of_a_crash_are_removed_and_one_that_is_being_written_stays(tmp_path: Path) -> None:
    crashed, writing = tmp_path / "crashed.part", tmp_path / "writing.part"
    for path in (crashed, writing):
        path.touch()
    os.utime(crashed, (0, 0))
    await CachedSynthesizer(FakeSynthesizer(), tmp_path).warm([])
    assert (crashed.exists(), writing.exists()) == (False, True)


async def test_memory_is_bounded_and_prompts_that_fall_out_come_from_disk(tmp_path: Path) -> None:
    inner = FakeSynthesizer(ms_per_word=100)
    cache = CachedSynthesizer(inner, tmp_path, memory_bytes=10000)
    prompts = [SpeechRequest(f"number {index} please", "en", "", 8000) for index in range(4)]
    said = [SpeechRequest(f"caller {index} please", "en", "", 8000) for index in range(3)]
    await cache.warm(prompts)
    for sentence in [*prompts, *said]:
        assert sum(len(chunk.pcm) for chunk in await chunks_of(cache, sentence)) == 4800
    assert cache.memory_used == 2 * 4800
    assert len(inner.requests) == 7
    await chunks_of(cache, said[0])
    assert len(inner.requests) == 8


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
async def test_unwritable_directory_costs_the_cache_not_the_sentence(tmp_path: Path, memory_bytes: int) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    cache = CachedSynthesizer(FakeSynthesizer(), blocked / "speech", memory_bytes=memory_bytes)
    assert await cache.warm([HELLO]) == 0
    assert chunk_octets(await chunks_of(cache, HELLO)) == chunk_octets(await chunks_of(cache, HELLO)) > 0


def chunk_octets(chunks: list[SpeechChunk]) -> int:
    return sum(len(chunk.pcm) for chunk in chunks)


async def test_stuck_disk_costs_every_sentence_a_moment_and_nobody_elses_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr(speech_cache, "READ_WITHIN_S", 0.01)
    monkeypatch.setattr(SpeechFiles, "read", lambda *_: released.wait(20) and None)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
    cache = CachedSynthesizer(FakeSynthesizer(), tmp_path)
    sentences = [SpeechRequest(f"number {index}", "en", "", 8000) for index in range(2 * speech_cache.MAX_WAITING)]
    try:
        async with asyncio.timeout(5):
            for sentence in sentences:
                assert await chunks_of(cache, sentence)
            assert await asyncio.to_thread(lambda: "free") == "free"
            assert cache.refused == 0
            at_once = [SpeechRequest(f"at once {index}", "en", "", 8000) for index in range(len(sentences))]
            assert all(await asyncio.gather(*(chunks_of(cache, sentence) for sentence in at_once)))
            assert cache.refused > 0
    finally:
        released.set()


async def test_warming_speaks_every_prompt_once_at_most_so_many_at_a_time_and_counts_failures(tmp_path: Path) -> None:
    busiest = 0

    class Watched(FakeSynthesizer):
        async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
            nonlocal busiest
            async for chunk in super().synthesize(request):
                busiest = max(busiest, self.open)
                yield chunk

    inner = Watched(errors=[None, EngineUnavailable("busy")])
    cache = CachedSynthesizer(inner, tmp_path)
    prompts = [SpeechRequest(f"prompt {index}", "en", "", 8000) for index in range(6)]
    assert await cache.warm([*prompts, *prompts], concurrency=2) == 1
    assert len(inner.requests) == 6
    assert busiest <= 2
    assert len(stored(tmp_path)) == 5


@pytest.mark.parametrize("speech", [SpeechChunk(b""), SpeechChunk(b"\n\n\x00\x01", (WordTime("您好", 0, 2),))])
def test_file_content_comes_out_as_it_went_in(speech: SpeechChunk) -> None:
    assert unpack(pack(speech)) == speech
