"""Audio read ahead comes out whole and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from parley.conversation.errors import EngineUnavailable
from parley.conversation.listening import UtteranceAudio
from parley.engines.backlog import Backlog


async def blocks_of(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


@pytest.mark.parametrize("ready_after", range(5))
async def test_all_blocks_come_out_in_order_however_many_were_read_ahead(ready_after: int) -> None:
    looks = iter([False] * ready_after + [True] * 10)
    backlog = Backlog(blocks_of(b"a", b"b", b"c"), 100)
    await backlog.read_until(lambda: next(looks))
    assert [block async for block in backlog] == [b"a", b"b", b"c"]


async def test_nothing_is_read_ahead_when_somebody_listens_at_once() -> None:
    audio = blocks_of(b"a", b"b")
    await Backlog(audio, 100).read_until(lambda: True)
    assert await anext(audio) == b"a"


async def test_end_of_the_audio_is_read_once_only() -> None:
    audio = UtteranceAudio()
    audio.add(b"ab")
    audio.end()
    backlog = Backlog(audio, 100)
    async with asyncio.timeout(1):
        await backlog.read_until(lambda: False)
        assert [block async for block in backlog] == [b"ab"]


async def test_more_than_there_is_room_for_is_unavailable() -> None:
    backlog = Backlog(blocks_of(b"abc", b"d"), 3)
    with pytest.raises(EngineUnavailable):
        await backlog.read_until(lambda: False)


@pytest.mark.parametrize("ready", [True, False])
async def test_error_of_the_audio_comes_out_unchanged(ready: bool) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise ZeroDivisionError

    async def read() -> list[bytes]:
        backlog = Backlog(broken(), 100)
        await backlog.read_until(lambda: ready)
        return [block async for block in backlog]

    with pytest.raises(ZeroDivisionError):
        await read()
