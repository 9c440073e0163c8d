"""Percentiles, and the watch over them."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.app.latency import FEWEST_TURNS, WATCHED_TURNS, LatencyWatch, percentile


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.9, 90), (0.95, 95), (0.99, 99), (1.0, 100)])
def test_percentile_is_the_value_of_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(range(1, 101), share) == expected


def test_percentile_of_one_value_is_that_value() -> None:
    assert [percentile([7], share) for share in (0.01, 0.5, 1.0)] == [7, 7, 7]


@given(st.lists(st.integers(0, 10_000), min_size=1), st.integers(1, 100))
def test_percentile_is_not_exceeded_by_its_share_of_the_values(values: list[int], per_cent: int) -> None:
    value = percentile(sorted(values), per_cent / 100)
    assert sum(other <= value for other in values) * 100 >= per_cent * len(values)
    assert sum(other < value for other in values) * 100 < per_cent * len(values)


def feed(watch: LatencyWatch, *responses_ms: int) -> None:
    for response_ms in responses_ms:
        watch.add(response_ms)


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    return [(record.levelname, getattr(record, "p95_ms", 0)) for record in caplog.records]


def test_objective_that_is_missed_is_told_once_and_its_return_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watch = LatencyWatch(objective_ms=1000)
    feed(watch, *[400] * 95)
    assert told(caplog) == []
    feed(watch, *[1500] * 5)
    assert told(caplog) == []
    feed(watch, *[1500] * 20)
    assert told(caplog) == [("WARNING", 1500)]
    feed(watch, *[400] * 94)
    assert told(caplog) == [("WARNING", 1500)]
    feed(watch, 400, 400)
    assert told(caplog) == [("WARNING", 1500), ("INFO", 400)]
    feed(watch, *[1500] * 6)
    assert [level for level, _ in told(caplog)] == ["WARNING", "INFO", "WARNING"]


def test_few_turns_are_not_judged(caplog: pytest.LogCaptureFixture) -> None:
    watch = LatencyWatch(objective_ms=1000)
    feed(watch, *[5000] * (FEWEST_TURNS - 1))
    assert (watch.p95_ms, told(caplog)) == (None, [])
    watch.add(5000)
    assert (watch.p95_ms, told(caplog)) == (5000, [("WARNING", 5000)])


def test_without_an_objective_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    watch = LatencyWatch(objective_ms=0)
    feed(watch, *[9000] * WATCHED_TURNS)
    assert (watch.p95_ms, told(caplog)) == (9000, [])


def test_only_the_latest_turns_count() -> None:
    watch = LatencyWatch(objective_ms=0)
    feed(watch, *[9000] * WATCHED_TURNS, *[300] * WATCHED_TURNS)
    assert watch.p95_ms == 300
