from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from benchmarks.crowd_judge import Verdict
from benchmarks.processes import Usage
from benchmarks.soak import Soak, print_report, problems_of, report_of
from benchmarks.watch import PARTS, Look, Watch

MINUTES = 5
GOOD = Verdict(0, rounds=40, keyed=20, read_back=36, spoken_read_back=16, misheard=4, length_s=301.0, silence_s=2.0)


def look(minute: float, *, node_mb: float = 80.0, cache_mb: float = 0.0, tasks: int = 30, files: int = 20) -> Look:
    sizes = {part: node_mb if part == "node" else 50.0 for part in PARTS}
    usage = {part: Usage(minute * 60, minute, mb, files, {1: mb}) for part, mb in sizes.items()}
    return Look(usage, {"parley_tasks": tasks, "parley_speech_cache_bytes": cache_mb * (1 << 20)})


def soak_of(
    *verdicts: Verdict,
    looks: Sequence[Look] = (),
    after: Look | None = None,
    left: Sequence[str] = (),
    failures: Mapping[str, Sequence[str]] | None = None,
) -> Soak:
    watch = Watch(list(looks) or [look(minute) for minute in range(MINUTES + 1)])
    return Soak(verdicts or (GOOD,), [], failures or {}, watch, look(0), after or look(MINUTES), left)


def problems(
    *verdicts: Verdict,
    looks: Sequence[Look] = (),
    after: Look | None = None,
    left: Sequence[str] = (),
    failures: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    seen = soak_of(*verdicts, looks=looks, after=after, left=left, failures=failures)
    return problems_of(seen, MINUTES * 60)


def test_calls_without_a_fault_pass() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (replace(GOOD, foreign=["1: 2"]), "foreign words: {0: ['1: 2']}"),
        (replace(GOOD, wrong_keys=["11: 1"]), "keys not as pressed: {0: ['11: 1']}"),
        (replace(GOOD, untrue=["1: 2"]), "replies not as recorded: {0: ['1: 2']}"),
        (replace(GOOD, cut_off=1), "too many callers cut off: [1, 20]"),
        (replace(GOOD, disturbed=["1: 2"]), "sound in the caller's own turn: {0: ['1: 2']}"),
        (replace(GOOD, read_back=35, spoken_read_back=15), "too few spoken numbers read back: [15, 20]"),
        (replace(GOOD, unrecorded=1), "spoken numbers with nothing in the record: {0: 1}"),
        (replace(GOOD, silence_s=11.0), "silence beyond 10 s: [0]"),
        (replace(GOOD, length_s=200.0), "calls shorter than asked: [0]"),
        (replace(GOOD, failure="the call ended"), "calls that ended early: [0]"),
    ],
)
def test_fault_of_one_call_is_a_problem(fault: Verdict, problem: str) -> None:
    assert problems(fault) == [problem]


def test_keyed_rounds_do_not_make_up_for_spoken_ones() -> None:
    half_understood = Verdict(0, rounds=40, keyed=30, read_back=35, spoken_read_back=5, misheard=5, length_s=301.0)
    assert problems(half_understood) == ["too few spoken numbers read back: [5, 10]"]


def test_crowd_that_said_nothing_has_not_passed() -> None:
    only_keys = Verdict(0, rounds=20, keyed=20, read_back=20, length_s=301.0)
    assert problems(only_keys) == ["too few spoken numbers read back: [0, 0]"]


def test_what_is_left_behind_is_a_problem() -> None:
    assert problems(left=["PJSIP/trunk-1"]) == ["left in Asterisk: ['PJSIP/trunk-1']"]
    assert problems(after=look(MINUTES, tasks=31)) == ["tasks left in the node: [1]"]
    assert problems(after=look(MINUTES, files=21)) == ["open files left: {'asterisk': 1, 'node': 1}"]


def test_engine_that_failed_is_a_problem() -> None:
    assert problems(failures={"15550001": ["timeout"]}) == ["engine failures: {'15550001': ['timeout']}"]


def test_memory_that_grows_is_a_problem_unless_the_speech_cache_fills() -> None:
    grown = [look(minute, node_mb=80.0 + 2 * minute) for minute in range(10)]
    filled = [look(minute, node_mb=80.0 + 2 * minute, cache_mb=2 * minute) for minute in range(10)]
    assert [problem.partition(":")[0] for problem in problems(looks=grown)] == ["memory that grows"]
    assert problems(looks=filled) == []


def test_process_that_is_first_needed_late_is_no_growth() -> None:
    looks = [look(minute) for minute in range(10)]
    for late in looks[7:]:
        late.usage["worker"].private_mb[2] = 10.0
    assert Watch(looks).growth_mb_per_min("worker") == pytest.approx(0.0)
    assert problems(looks=looks) == []


def test_growth_is_not_measured_before_three_looks_at_warm_parts() -> None:
    warming_up = Watch([look(step / 12, node_mb=80.0 + step) for step in range(26)])
    assert [warming_up.growth_mb_per_min(part) for part in PARTS] == [None] * 3
    assert Watch().growth_mb_per_min("node") is None
    warming_up.looks.append(look(26 / 12, node_mb=106.0))
    assert warming_up.growth_mb_per_min("node") == pytest.approx(12.0)


def test_short_run_tells_that_growth_was_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    seen = soak_of(looks=[look(step / 12, node_mb=80.0 + step) for step in range(24)])
    report = report_of(seen, 1, MINUTES * 60)
    assert (report["passed"], report["not_measured"]) == (True, [f"growth of {part}" for part in PARTS])
    print_report(report)
    *table, machine, last_but_one, last = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in table[-3:]] == [["not", "measured"]] * 3
    assert machine.startswith("  the machine itself, in spans of 5 s: until 5 s: 0.00 s stolen")
    assert last_but_one == "  not measured: growth of asterisk, growth of node, growth of worker"
    assert last.startswith("passed")


def test_run_that_is_long_enough_measures_growth(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(soak_of(), 1, MINUTES * 60)
    assert report["not_measured"] == []
    print_report(report)
    assert "not measured" not in capsys.readouterr().out
