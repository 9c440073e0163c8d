"""What the tests of the media core share: hypothesis without a deadline, and a look for leaks after each test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from media_core.engine import resources
from tests.media_core.engine_call import Bench

# A slow example says something of the machine, not of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


@pytest.fixture(autouse=True)
def _nothing_of_the_engine_is_left_over() -> Iterator[None]:
    yield
    if any(resources().values()):
        gc.collect()
    assert not any(resources().values()), resources()
