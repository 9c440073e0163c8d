"""Closing the async iterators that the engine ports return."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

Item = TypeVar("Item")


@asynccontextmanager
async def closing(iterator: AsyncIterator[Item]) -> AsyncGenerator[AsyncIterator[Item]]:
    """Close the iterator on the way out, as the ports' contract asks: that frees the engine.

    The ports promise AsyncIterator; whoever implements them with a generator has `aclose()`.
    """
    try:
        yield iterator
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()
