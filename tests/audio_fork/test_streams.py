from __future__ import annotations

import asyncio

import pytest

from audio_fork.streams import DroppingStream


async def test_items_come_in_order_and_the_stream_ends_after_the_last() -> None:
    stream: DroppingStream[int] = DroppingStream(8)
    for item in range(3):
        stream.put(item)
    stream.close()
    stream.close()
    stream.put(99)
    assert [item async for item in stream] == [0, 1, 2]


async def test_a_lagging_reader_loses_the_oldest_and_the_loss_is_counted() -> None:
    stream: DroppingStream[int] = DroppingStream(3)
    stream.put(0)
    assert await anext(stream) == 0
    for item in range(1, 6):
        stream.put(item)
    stream.close()
    assert [item async for item in stream] == [3, 4, 5]
    assert stream.dropped == 2


async def test_what_nobody_reads_yet_is_not_counted_as_a_loss() -> None:
    stream: DroppingStream[int] = DroppingStream(2)
    for item in range(5):
        stream.put(item)
    assert await anext(stream) == 3
    assert stream.dropped == 0


async def test_a_waiting_reader_wakes_for_the_next_item() -> None:
    stream: DroppingStream[str] = DroppingStream(2)
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert not reader.done()
    stream.put("now")
    assert await reader == "now"


async def test_a_cancelled_reader_loses_nothing() -> None:
    stream: DroppingStream[str] = DroppingStream(2)
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    stream.put("kept")
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await anext(stream) == "kept"


async def test_closing_ends_a_waiting_reader() -> None:
    stream: DroppingStream[str] = DroppingStream(2)
    reader = asyncio.ensure_future(anext(stream, "ended"))
    await asyncio.sleep(0)
    stream.close()
    assert await reader == "ended"
