"""Timing of peers beside one another: interleaved rounds in one thread, in processor time of that thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.figures import Case

ROUNDS = 15
ROUND_S = 0.03
"""Least time of one contestant in one round."""


@dataclass(frozen=True, slots=True)
class Times:
    """What one contestant took for one unit of work, round by round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def race(contestants: Mapping[str, Callable[[], object]], units: int, rounds: int = ROUNDS) -> dict[str, Times]:
    """Let all contestants do the same work in turn, ABAB, and return their times per unit.

    units: how many units of work one call of each does.
    """
    repeats = {name: _repeats(work) for name, work in contestants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            seconds[name].append(_time(work, repeats[name]) / (repeats[name] * units))
    return {name: Times(tuple(found)) for name, found in seconds.items()}


def _time(work: Callable[[], object], repeats: int) -> float:
    started = time.thread_time_ns()
    for _ in range(repeats):
        work()
    return (time.thread_time_ns() - started) / 1e9


def _repeats(work: Callable[[], object]) -> int:
    """Warm up, and return how often the work fills a round."""
    once = min(_time(work, 1) for _ in range(3))
    return max(1, round(ROUND_S / max(once, 1e-7)))


def faster(name: str, ours: Times, peer: str, theirs: Times, least_ratio: float, note: str = "") -> Case:
    """Return the case that we take less time than a peer; microseconds per unit."""
    ratios = [one / other for one, other in zip(theirs.seconds, ours.seconds, strict=True)]
    ratio = statistics.median(ratios)
    return Case(
        case=name,
        value=round(ours.median * 1e6, 4),
        unit="µs",
        peer=peer,
        peer_value=round(theirs.median * 1e6, 4),
        ratio=round(ratio, 3),
        ratio_least=round(min(ratios), 3),
        ratio_most=round(max(ratios), 3),
        target=f"≥ {least_ratio:g} ×",
        met=ratio >= least_ratio,
        note=note,
    )
