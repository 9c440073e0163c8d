"""The ramp finds how many calls a server holds, and says why it holds no more."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from benchmarks.media_calls import Contestant
from benchmarks.rtp_load import Heard, Seen

LIMIT = 100


def seen(calls: int, late_ms: float, lost: int) -> Seen:
    """Make a run in which the server lost so many packets of ours."""
    counts = {field.name: 0 for field in fields(Heard)} | {"calls": calls, "sent": 50 * calls, "slots": 100}
    return Seen(Heard(**counts), {"heard": 50 * calls - lost, "late_ms_p99": late_ms})


@dataclass(slots=True)
class FakeServer(Contestant):
    """Holds `limit` calls; beyond it is late or loses packets. `misses`: runs that fail all the same, once each."""

    limit: int = LIMIT
    misses: int = 0
    loses: bool = False
    runs: int = 0

    def run(self, calls: int) -> Seen:
        self.runs += 1
        assert self.runs < 200, "the ramp does not end"
        bad = calls > self.limit or self.runs <= self.misses
        return seen(calls, 7.0 if bad and not self.loses else 0.1, 3 if bad and self.loses else 0)


def server(first_calls: int, *, limit: int = LIMIT, misses: int = 0, loses: bool = False) -> FakeServer:
    """Make a server whose ramp begins so high."""
    return FakeServer("fake", lambda _: [], first_calls, 1.0, limit=limit, misses=misses, loses=loses)


def test_ramp_from_below_ends_at_the_last_size_that_held() -> None:
    contestant = server(50)
    contestant.ramp()
    assert LIMIT / 1.15 <= contestant.held[0] <= LIMIT
    assert "p99 tick 7.0 ms late" in contestant.broke
    assert contestant.last is not None
    assert contestant.last.generator.calls == contestant.held[0]


def test_ramp_from_above_comes_down() -> None:
    contestant = server(300)
    contestant.ramp()
    assert LIMIT / 1.15 <= contestant.held[0] <= LIMIT


@pytest.mark.parametrize("first_calls", [1, 3, 300], ids=["from the least", "from few", "from above"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_ramp_ends_where_a_server_holds_a_few_calls_only(limit: int, first_calls: int) -> None:
    contestant = server(first_calls, limit=limit)
    contestant.ramp()
    assert contestant.held == [limit]


def test_server_that_holds_no_call_is_not_said_to_hold_one_and_begins_anew_in_the_next_round() -> None:
    contestant = server(10, limit=0)
    contestant.ramp()
    contestant.limit = LIMIT
    contestant.ramp()
    assert contestant.held[0] == 0
    assert contestant.held[1] > LIMIT / 1.15


def test_a_size_that_fails_once_is_tried_again() -> None:
    contestant = server(50, misses=1)
    contestant.ramp()
    assert contestant.held[0] > LIMIT / 1.15


def test_a_lost_packet_is_too_much() -> None:
    contestant = server(50, loses=True)
    contestant.ramp()
    assert "3 of" in contestant.broke
    assert contestant.held[0] <= LIMIT


def test_second_round_begins_where_the_first_ended() -> None:
    contestant = server(50)
    contestant.ramp()
    before = contestant.runs
    contestant.ramp()
    assert contestant.held[0] == contestant.held[1]
    assert contestant.runs - before == 3
