from datetime import datetime

import pytest

from parley.app.time_spans import TimeError, moment_of

NOW = 1_763_791_200.0


@pytest.mark.parametrize(("typed", "before_s"), [("90m", 5400), ("24h", 86_400), ("7d", 604_800), ("0m", 0)])
def test_time_ago_counts_from_now(typed: str, before_s: int) -> None:
    assert moment_of(typed, NOW) == NOW - before_s


def test_date_is_the_machines_own_midnight_and_a_zone_wins() -> None:
    assert moment_of("2026-11-25", NOW) == datetime(2026, 11, 25).timestamp()
    assert moment_of("2026-11-25T14:30", NOW) == datetime(2026, 11, 25, 14, 30).timestamp()
    assert moment_of("2025-11-22T06:00:00+00:00", NOW) == NOW


@pytest.mark.parametrize("typed", ["", "yesterday", "7", "7w", "-1h", "2026-13-01", "1h30m"])
def test_anything_else_is_refused_with_examples(typed: str) -> None:
    with pytest.raises(TimeError, match="24h"):
        moment_of(typed, NOW)
