"""How many conversations one machine holds: N at once on a real Asterisk with the offline engines, N growing.

`python -m benchmarks.capacity [--calls 5 10 20 30 40] [--seconds 40]`. The default of `limits.max_calls` is the largest
N that meets the targets on two cores, rounded down to tens. Asterisk, node, worker and the callers' phones share the
machine, as they do at a site, where the phones are elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.crowd import CROWD_DIALPLAN, CROWD_SETTINGS, Caller, hold_calls, prepare_speech
from benchmarks.processes import usage_of
from benchmarks.results import write_results
from benchmarks.watch import PARTS, Watch, counted, watching
from parley.conversation.record import Turn
from tests.e2e.site import Node, serving
from tests.support.asterisk import Asterisk

CALLS = (5, 10, 15, 20, 25, 30, 40)
WORK_MS = 400.0
"""What recognition, synthesis and playout may add at the 95th percentile to the wait for the end of the turn; most of
the answers are sentences that flite has to speak first."""
GREETING_MS = 150.0
PAUSE_S = 3.0
"""Between two sizes."""


@dataclass(frozen=True, slots=True)
class Size:
    """What was seen of N conversations at once."""

    calls: int
    callers: Sequence[Caller]
    turns: Sequence[Turn]
    watch: Watch
    phones: float
    """Mean number of cores that the callers' phones kept busy."""

    @property
    def greeting_ms(self) -> float:
        """Answer to first sample of the greeting, 95th percentile."""
        return _percentile((turn.timings.response_ms for turn in self.turns if turn.number == 0), 95)

    def stage_ms(self, stage: str, percentile: float) -> float:
        """Return a percentile of a stage of the response, or of the whole (`response`)."""
        return _percentile((getattr(turn.timings, f"{stage}_ms") for turn in self.turns if turn.number), percentile)

    @property
    def work_ms(self) -> float:
        """Response without the wait for the end of the turn, 95th percentile."""
        timings = [turn.timings for turn in self.turns if turn.number]
        return _percentile((t.response_ms - (t.endpoint_ms or 0) for t in timings if t.response_ms is not None), 95)

    def media(self, kind: str) -> float:
        """Return how often something happened to the calls' audio."""
        return counted(self.watch.looks[0], self.watch.looks[-1], f"parley_media_events_total{{{kind}}}")

    @property
    def is_held(self) -> bool:
        """Whether the targets are met."""
        whole = self.media("skipped_frames") == 0 and not any(caller.failure for caller in self.callers)
        return whole and self.work_ms <= WORK_MS and self.greeting_ms <= GREETING_MS


def _percentile(values: Iterable[int | None], percentile: float) -> float:
    known = [value for value in values if value is not None]
    return float(np.percentile(known, percentile)) if known else float("inf")


async def measure(pbx: Asterisk, node: Node, calls: int, duration_s: float) -> Size:
    """Hold so many conversations at once."""
    known = {record.start.call_id for record in await node.records()}
    own = usage_of(os.getpid())
    async with watching(pbx, node, every_s=2.0) as watch:
        callers = await hold_calls(pbx, calls, duration_s)
        await node.logged("call ended", len(known) + calls, timeout_s=20.0)
    phones = usage_of(os.getpid()).cores_since(own)
    records = [record for record in await node.records() if record.start.call_id not in known]
    return Size(calls, callers, [turn for record in records for turn in record.turns], watch, phones)


COLUMNS = [
    "calls",
    "greet",
    "p50",
    "p95",
    "work",
    "asr95",
    "tts95",
    "late",
    "skip",
    "under",
    "ast",
    "node",
    "worker",
    "MB",
]


def row_of(size: Size) -> str:
    """Return a line of the table."""
    figures = [
        size.calls,
        size.greeting_ms,
        size.stage_ms("response", 50),
        size.stage_ms("response", 95),
        size.work_ms,
        size.stage_ms("asr", 95),
        size.stage_ms("tts", 95),
        size.media("late_beats"),
        size.media("skipped_frames"),
        size.media("underruns"),
    ]
    cores = "".join(f"{size.watch.cores(part):7.2f}" for part in PARTS)
    memory = sum(size.watch.memory_mb(part) for part in PARTS)
    return "".join(f"{figure:7.0f}" for figure in figures) + cores + f"{memory:7.0f}  {size.is_held}"


def cases_of(size: Size) -> list[dict[str, object]]:
    """Return the figures of one size as they are written down."""
    name = f"{size.calls} calls: "
    cases: list[dict[str, object]] = [
        {"case": name + "greeting, p95", "value": size.greeting_ms, "unit": "ms", "target": GREETING_MS},
        {"case": name + "response, p50", "value": size.stage_ms("response", 50), "unit": "ms"},
        {"case": name + "response, p95", "value": size.stage_ms("response", 95), "unit": "ms"},
        {"case": name + "response beyond the wait, p95", "value": size.work_ms, "unit": "ms", "target": WORK_MS},
        {"case": name + "recogniser, p95", "value": size.stage_ms("asr", 95), "unit": "ms"},
        {"case": name + "synthesiser, p95", "value": size.stage_ms("tts", 95), "unit": "ms"},
        {"case": name + "phones", "value": round(size.phones, 3), "unit": "cores"},
        {"case": name + "targets met", "value": int(size.is_held), "unit": "", "met": size.is_held},
    ]
    cases += [
        {"case": name + kind, "value": size.media(kind), "unit": "frames"}
        for kind in ("late_beats", "skipped_frames", "underruns")
    ]
    for part in PARTS:
        cores, memory_mb = size.watch.cores(part), size.watch.memory_mb(part)
        cases.append({"case": f"{name}{part}", "value": round(cores, 3), "unit": "cores"})
        cases.append({"case": f"{name}{part} per call", "value": round(cores / size.calls, 4), "unit": "cores"})
        cases.append({"case": f"{name}{part} memory", "value": round(memory_mb), "unit": "MB"})
    return cases


async def main() -> None:
    """Run it, print a table, write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=CALLS)
    parser.add_argument("--seconds", type=float, default=40.0)
    options = parser.parse_args()
    await prepare_speech(max(options.calls), options.seconds)
    life_s = int((options.seconds + 30) * len(options.calls)) + 120
    settings = f"{CROWD_SETTINGS}\n[limits]\nmax_calls = {max(options.calls)}\n"
    cases: list[dict[str, object]] = []
    print("".join(f"{column:>7}" for column in COLUMNS) + "  held")
    with tempfile.TemporaryDirectory(prefix="parley-capacity-") as folder:
        async with (
            Asterisk(overlays=(), additions={"extensions.conf": CROWD_DIALPLAN}, life_s=life_s) as pbx,
            serving(pbx, Path(folder), settings, life_s=life_s) as node,
        ):
            for calls in options.calls:
                size = await measure(pbx, node, calls, options.seconds)
                print(row_of(size), flush=True)
                cases += cases_of(size)
                await asyncio.sleep(PAUSE_S)
            version = pbx.program.version
    write_results("capacity", cases, "pocketsphinx", "aiohttp", "grpcio", asterisk=version)


if __name__ == "__main__":
    asyncio.run(main())
