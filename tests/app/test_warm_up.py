"""Engines of a worker that load, that fail to, and that are ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from parley.app.warm_up import close, warmed_up
from parley.conversation.errors import EngineMissing
from parley.conversation.ports import Hypothesis, RecognitionRequest
from parley.inference.registry import Engines
from tests.fakes.recognizer import FakeRecognizer


class Loads:
    """Recogniser whose model loads as the test wants it."""

    def __init__(self, *, raises: Exception | None = None, waits_for: asyncio.Event | None = None) -> None:
        self.begun = asyncio.Event()
        self.closed = 0
        self._raises, self._waits_for = raises, waits_for

    async def warm_up(self) -> None:
        self.begun.set()
        if self._waits_for is not None:
            await self._waits_for.wait()
        if self._raises is not None:
            raise self._raises

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncIterator[Hypothesis]:
        async for hypothesis in FakeRecognizer().recognize(request, audio):
            yield hypothesis

    def close(self) -> None:
        self.closed += 1
        if self._raises is not None:
            raise self._raises


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EngineMissing("model.bin is no model"), "model.bin is no model"),
        (ImportError("libfoo.so.1: no such file"), "ImportError: libfoo.so.1: no such file"),
        (OSError("illegal instruction"), "OSError: illegal instruction"),
    ],
)
async def test_engine_that_does_not_load_is_taken_out_alone_and_the_log_says_why(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    engines = Engines(recognizers={"broken": Loads(raises=error), "whole": Loads()})
    with caplog.at_level(logging.WARNING):
        able = await warmed_up(engines)
    assert able.services() == ["recognizer/whole"]
    [record] = caplog.records
    assert record.message == "engine left out"
    assert (getattr(record, "engine", ""), getattr(record, "problem", "")) == ("broken", told)


async def test_engine_that_needs_too_long_is_taken_out(caplog: pytest.LogCaptureFixture) -> None:
    engines = Engines(recognizers={"slow": Loads(waits_for=asyncio.Event()), "whole": Loads()})
    with caplog.at_level(logging.WARNING):
        able = await warmed_up(engines, within_s=0.01)
    assert able.services() == ["recognizer/whole"]
    assert getattr(caplog.records[0], "problem", "") == "its model is not loaded after 0.01 s"


async def test_engines_load_side_by_side() -> None:
    second = Loads()
    first = Loads(waits_for=second.begun)  # forever, were one loaded after the other
    async with asyncio.timeout(5):
        able = await warmed_up(Engines(recognizers={"first": first, "second": second}))
    assert able.services() == ["recognizer/first", "recognizer/second"]


async def test_all_engines_are_closed_even_where_one_of_them_fails_in_it() -> None:
    broken, whole = Loads(raises=OSError("gone")), Loads()
    await close(Engines(recognizers={"broken": broken, "whole": whole}))
    assert (broken.closed, whole.closed) == (1, 1)
