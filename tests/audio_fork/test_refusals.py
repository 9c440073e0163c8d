from __future__ import annotations

import pytest

from audio_fork.refusals import LOG_EVERY_S, Refusals


def test_a_flood_of_strangers_is_counted_whole_and_logged_rarely(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    told: list[str] = []
    refusals = Refusals("connection refused", told.append, monotonic=lambda: now[0])
    for _ in range(1000):
        refusals.add("unknown_id", "192.0.2.66")
        now[0] += LOG_EVERY_S / 400
    assert refusals.by_reason["unknown_id"] == len(told) == 1000
    assert len(caplog.records) == 3
    assert [vars(record)["refused_since_last"] for record in caplog.records] == [1, 400, 400]
