"""Sentences are spoken once; the cache stays within its bounds and heals."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from parley.conversation.errors import EngineError, EngineUnavailable
from parley.conversation.ports import SpeechChunk, SpeechRequest, WordTime
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


async def test_another_process_finds_it_on_disk_with_its_word_times(tmp_path: Path) -> None:
    first = await chunks_of(CachedSynthesizer(FakeSynthesizer(align=True), tmp_path), HELLO)
    inner = FakeSynthesizer()
    (known,) = await chunks_of(CachedSynthesizer(inner, tmp_path), HELLO)
    assert known.alignment == tuple(word for chunk in first for word in chunk.alignment)
    assert inner.requests == []


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
    for version in ("2.1", "2.2"):
        await chunks_of(CachedSynthesizer(inner, tmp_path, engine_version=version), HELLO)
    assert len(inner.requests) == 2


async def test_damaged_file_is_made_anew(tmp_path: Path) -> None:
    await chunks_of(CachedSynthesizer(FakeSynthesizer(), tmp_path), HELLO)
    (file,) = stored(tmp_path)
    content = file.read_bytes()
    for damaged in (b"", content[:-1], content[:-1] + b"\xff", b"RIFF" + content):
        file.write_bytes(damaged)
        inner = FakeSynthesizer()
        await chunks_of(CachedSynthesizer(inner, tmp_path), HELLO)
        assert len(inner.requests) == 1
        assert file.read_bytes() == content


async def test_sentence_that_failed_or_was_interrupted_is_not_kept(tmp_path: Path) -> None:
    cache = CachedSynthesizer(FakeSynthesizer(errors=[EngineError("broken")], error_after_words=1), tmp_path)
    with pytest.raises(EngineError, match="broken"):
        await chunks_of(cache, HELLO)
    speaking = cache.synthesize(HELLO)
    await anext(speaking)
    await speaking.aclose()
    assert stored(tmp_path) == []
    assert len(await chunks_of(cache, HELLO)) == 3


async def test_least_recently_used_is_removed_first(tmp_path: Path) -> None:
    files = SpeechFiles(tmp_path, max_bytes=3 * len(pack(SpeechChunk(b"\0\0" * 500))))
    for age, key in enumerate(("oldest", "used", "young")):
        files.write(key, SpeechChunk(b"\0\0" * 500))
        os.utime(tmp_path / f"{key}{SUFFIX}", ns=(age, age))
    os.utime(tmp_path / f"oldest{SUFFIX}", ns=(0, 0))
    assert files.read("used") is not None
    files.write("newest", SpeechChunk(b"\0\0" * 500))
    assert [path.stem for path in stored(tmp_path)] == ["newest", "used", "young"]


async def test_memory_is_bounded_and_what_falls_out_comes_from_disk(tmp_path: Path) -> None:
    inner = FakeSynthesizer(ms_per_word=100)
    cache = CachedSynthesizer(inner, tmp_path, memory_bytes=10000)
    sentences = [SpeechRequest(f"number {index} please", "en", "", 8000) for index in range(4)]
    for sentence in [*sentences, *sentences]:
        assert sum(len(chunk.pcm) for chunk in await chunks_of(cache, sentence)) == 4800
    assert len(inner.requests) == 4


async def test_unwritable_directory_costs_the_cache_not_the_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    inner = FakeSynthesizer()
    cache = CachedSynthesizer(inner, blocked / "speech", memory_bytes=0)
    assert len(await chunks_of(cache, HELLO)) == 3
    assert len(await chunks_of(cache, HELLO)) == 3


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
