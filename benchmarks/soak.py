"""`make soak`: calls that go on for minutes on a real Asterisk, with nothing lost, mixed up or left behind.

`python -m benchmarks.soak [--calls 20] [--minutes 5]` writes build/test/soak.json and ends with 1 when it has not
passed. Every process has a bounded life.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.crowd import CROWD_DIALPLAN, CROWD_SETTINGS, hold_calls, prepare_speech
from benchmarks.crowd_judge import Verdict, judge
from benchmarks.results import ROOT, machine
from benchmarks.watch import PARTS, Look, Watch, counted, look_at, watching
from parley.conversation.record import Turn
from tests.e2e.site import serving
from tests.support.asterisk import Asterisk

RESULT = ROOT / "build" / "test" / "soak.json"
LONGEST_SILENCE_S = 10.0
LEAST_READ_BACK = 0.8
"""Share of spoken rounds whose number came back exactly: the recogniser takes a digit for another now and then."""
MOST_CUT_OFF = 0.02
"""Share of spoken rounds: a caller's pause between two digits may be longer than the agent's patience."""
MOST_GROWTH_MB_PER_MIN = 1.0
"""Of any part, over the second half; a run that is too short to tell says so."""
COUNTED = ("keyed", "read_back", "spoken_read_back", "unrecorded", "misheard", "cut_off")
LISTED = ("untrue", "disturbed")
SETTLE_S = 5.0
"""After the last call: records are committed, and what is no longer needed is let go of."""


@dataclass(frozen=True, slots=True)
class Soak:
    """What was seen."""

    verdicts: Sequence[Verdict]
    turns: Sequence[Turn]
    engine_failures: Mapping[str, Sequence[str]]
    """Caller's number → what engines failed at in that call, by the record."""
    watch: Watch
    before: Look
    after: Look
    left_in_asterisk: Sequence[str]
    """Channels and bridges after the last call."""


async def soak(calls: int, duration_s: float) -> Soak:
    """Let the calls be made, look at everything meanwhile, judge."""
    await prepare_speech(calls, duration_s)
    life_s = int(duration_s) + 180
    settings = f"{CROWD_SETTINGS}\n[limits]\nmax_calls = {calls}\n"
    with tempfile.TemporaryDirectory(prefix="parley-soak-") as folder:
        async with (
            Asterisk(overlays=(), additions={"extensions.conf": CROWD_DIALPLAN}, life_s=life_s) as pbx,
            serving(pbx, Path(folder), settings, life_s=life_s) as node,
        ):
            before = await look_at(pbx, node)
            async with watching(pbx, node) as watch:
                callers = await hold_calls(pbx, calls, duration_s)
            await asyncio.sleep(SETTLE_S)
            after = await look_at(pbx, node)
            left = await _left_in(pbx)
            records = await node.ended_records(calls)
    turns = [turn for record in records for turn in record.turns]
    failures = {
        record.start.ani: [
            f"{note.details} at {note.at_ms} ms" for note in record.notes if note.kind == "engine_failed"
        ]
        for record in records
    }
    verdicts = await asyncio.to_thread(judge, callers, records)
    return Soak(verdicts, turns, {ani: notes for ani, notes in failures.items() if notes}, watch, before, after, left)


async def _left_in(pbx: Asterisk) -> list[str]:
    bridges = (await pbx.cli("bridge show all")).splitlines()[1:]
    return [*await pbx.channels(), *bridges]


def problems_of(seen: Soak, duration_s: float) -> list[str]:
    """Return what keeps the soak from passing, in words."""
    spoken = sum(verdict.rounds - verdict.keyed for verdict in seen.verdicts)
    read_back = sum(verdict.spoken_read_back for verdict in seen.verdicts)
    cut_off = sum(verdict.cut_off for verdict in seen.verdicts)
    files = {part: seen.after.usage[part].open_files - seen.before.usage[part].open_files for part in PARTS}
    growth = {part: seen.watch.growth_mb_per_min(part) for part in PARTS}
    checks = {
        "calls that ended early": [verdict.index for verdict in seen.verdicts if verdict.failure],
        "calls shorter than asked": [v.index for v in seen.verdicts if v.length_s < duration_s],
        "foreign words": {verdict.index: verdict.foreign for verdict in seen.verdicts if verdict.foreign},
        "keys not as pressed": {verdict.index: verdict.wrong_keys for verdict in seen.verdicts if verdict.wrong_keys},
        "replies not as recorded": {verdict.index: verdict.untrue for verdict in seen.verdicts if verdict.untrue},
        "too many callers cut off": [cut_off, spoken] if cut_off > MOST_CUT_OFF * spoken else [],
        "sound in the caller's own turn": {v.index: v.disturbed for v in seen.verdicts if v.disturbed},
        "silence beyond 10 s": [v.index for v in seen.verdicts if v.silence_s > LONGEST_SILENCE_S],
        "too few spoken numbers read back": []
        if spoken and read_back / spoken >= LEAST_READ_BACK
        else [read_back, spoken],
        "spoken numbers with nothing in the record": {v.index: v.unrecorded for v in seen.verdicts if v.unrecorded},
        "left in Asterisk": seen.left_in_asterisk,
        "tasks left in the node": _more(seen.after.tasks - seen.before.tasks),
        "open files left": {part: more for part, more in files.items() if more > 0 and part != "worker"},
        "memory that grows": {
            part: mb for part, mb in growth.items() if mb is not None and mb > MOST_GROWTH_MB_PER_MIN
        },
        "engine failures": dict(seen.engine_failures),
        "worker restarts": _more(counted(seen.before, seen.after, "parley_worker_restarts_total")),
    }
    return [f"{what}: {found}" for what, found in checks.items() if found]


def _more(count: float) -> list[float]:
    return [count] if count > 0 else []


def report_of(seen: Soak, calls: int, duration_s: float) -> dict[str, object]:
    """Return the figures as they are written down."""
    problems = problems_of(seen, duration_s)
    rounds = sum(verdict.rounds for verdict in seen.verdicts)
    parts = {
        part: {
            "cores": round(seen.watch.cores(part), 3),
            "cores_per_call": round(seen.watch.cores(part) / calls, 4),
            "memory_mb": round(seen.watch.memory_mb(part)),
            "memory_mb_before": round(seen.before.usage[part].memory_mb),
            "memory_mb_after": round(seen.after.usage[part].memory_mb),
            "memory_mb_per_call": round((seen.watch.memory_mb(part) - seen.before.usage[part].memory_mb) / calls, 2),
            "growth_mb_per_min": None if (mb := seen.watch.growth_mb_per_min(part)) is None else round(mb, 2),
            "open_files_before": seen.before.usage[part].open_files,
            "open_files_after": seen.after.usage[part].open_files,
        }
        for part in PARTS
    }
    responses = [turn.timings.response_ms for turn in seen.turns if turn.number and turn.timings.response_ms]
    media = ("late_beats", "skipped_frames", "underruns", "dropped_blocks", "dropped_events", "unsent")
    return {
        "passed": not problems,
        "problems": problems,
        "not_measured": [f"growth of {part}" for part in PARTS if parts[part]["growth_mb_per_min"] is None],
        "machine": machine(),
        "calls": calls,
        "minutes": round(duration_s / 60, 2),
        "rounds": rounds,
        **{what: sum(getattr(verdict, what) for verdict in seen.verdicts) for what in COUNTED},
        **{what: sum(len(getattr(verdict, what)) for verdict in seen.verdicts) for what in LISTED},
        "speech_cache_mb_after": round(seen.after.speech_cache_mb, 1),
        "response_ms": {f"p{p}": float(np.percentile(responses, p)) for p in (50, 95)} if responses else {},
        "tasks_before": seen.before.tasks,
        "tasks_after": seen.after.tasks,
        "media": {kind: counted(seen.before, seen.after, f"parley_media_events_total{{{kind}}}") for kind in media},
        "machine_made_wait_most": list(seen.watch.worst_waits()),
        "parts": parts,
        "engine_failures": dict(seen.engine_failures),
        "left_in_asterisk": list(seen.left_in_asterisk),
        "callers": [asdict(verdict) for verdict in seen.verdicts],
    }


def print_report(report: dict[str, object]) -> None:
    """Print the table for the person who waits."""
    print(f"{report['calls']} calls of {report['minutes']} minutes: {report['rounds']} rounds, ", end="")
    print(", ".join(f"{report[what]} {what}" for what in (*COUNTED, *LISTED)), end="; ")
    print(f"response {report['response_ms']} ms; media {report['media']}")
    columns = ("cores", "cores_per_call", "memory_mb", "memory_mb_per_call", "growth_mb_per_min")
    print(f"{'':10}" + "".join(f"{column:>20}" for column in columns))
    parts = report["parts"]
    assert isinstance(parts, dict)
    for part, figures in parts.items():
        known = ["not measured" if figures[column] is None else figures[column] for column in columns]
        print(f"{part:10}" + "".join(f"{figure:>20}" for figure in known))
    waits = report["machine_made_wait_most"]
    assert isinstance(waits, list)
    print(f"  the machine itself, in spans of 5 s: {'; '.join(waits)}")
    problems, not_measured = report["problems"], report["not_measured"]
    assert isinstance(problems, list)
    assert isinstance(not_measured, list)
    for problem in problems:
        print(f"  {problem}")
    if not_measured:
        print(f"  not measured: {', '.join(not_measured)}")
    print("passed" if report["passed"] else "NOT passed", f"({RESULT.relative_to(ROOT)})")


async def main() -> int:
    """Run it; 0 when it has passed."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5.0)
    options = parser.parse_args()
    duration_s = options.minutes * 60
    report = report_of(await soak(options.calls, duration_s), options.calls, duration_s)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print_report(report)
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
