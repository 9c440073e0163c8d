"""What the dead-man timers of many calls cost: the node's processor time, and Asterisk's, on a private Asterisk.

`python -m benchmarks.dead_man [--legs 500] [--seconds 20]` puts legs (Local channels, without media) into Stasis and
lets the node's own adapter renew their timers. The same legs without renewals are measured before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from ari_app import AriCallControl, AriRest
from ari_app.dead_man import DEAD_MAN_S, RENEWALS_PER_LENGTH
from parley.call_control import LegId
from tests.support.asterisk import Asterisk

ROOT = Path(__file__).parents[1]
DIALPLAN = """
[bench]
exten => wait,1,Answer()
 same => n,Wait(600)
"""
AT_ONCE = 20
"""Channels that are made side by side."""
BEAT_S = 0.005
"""How often the event loop's punctuality is looked at."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
TARGET_SHARE = 0.10
"""Of one processor core, for the node and for Asterisk each."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a stretch of time cost: shares of one core, and how late the event loop was."""

    node: float
    asterisk: float
    lag_p99_ms: float
    lag_max_ms: float


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def measured(asterisk_pid: int, seconds: float) -> Spent:
    """Let time pass and return what this process and Asterisk have spent."""
    began_s, node_s, asterisk_s = time.monotonic(), time.process_time(), cpu_s(asterisk_pid)
    lags_ms = []
    while (now_s := time.monotonic()) < began_s + seconds:
        await asyncio.sleep(BEAT_S)
        lags_ms.append((time.monotonic() - now_s - BEAT_S) * 1000)
    passed_s = time.monotonic() - began_s
    return Spent(
        node=(time.process_time() - node_s) / passed_s,
        asterisk=(cpu_s(asterisk_pid) - asterisk_s) / passed_s,
        lag_p99_ms=sorted(lags_ms)[len(lags_ms) * 99 // 100],
        lag_max_ms=max(lags_ms),
    )


@asynccontextmanager
async def adapter(pbx: Asterisk, dead_man_s: float) -> AsyncIterator[AriCallControl]:
    """Connect the node's adapter."""
    url = f"{pbx.ari_url}/ari"
    control = AriCallControl(url, pbx.ari_username, pbx.ari_password, dead_man_s=dead_man_s)
    await control.start()
    try:
        yield control
    finally:
        await control.aclose()


async def make_legs(pbx: Asterisk, control: AriCallControl, count: int) -> list[LegId]:
    """Put legs into Stasis, as if callers had come; return those that are there."""
    rest = AriRest(f"{pbx.ari_url}/ari", pbx.ari_username, pbx.ari_password)
    room = asyncio.Semaphore(AT_ONCE)

    async def make(number: int) -> None:
        async with room:
            # Asterisk takes an id for one that exists when it begins another: all have the same length.
            await rest.originate(f"bench-{number:06}", "parley", "Local/wait@bench/n")

    try:
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                tasks.create_task(make(number))
        async with asyncio.timeout(60):
            while len(legs := await control.legs()) < count:
                await asyncio.sleep(0.5)
    finally:
        await rest.aclose()
    return [leg.id for leg in legs]


async def main() -> None:
    """Run it and print a table; the figures go to build/bench/dead_man.json, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--legs", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    async with Asterisk(overlays=(), additions={"extensions.conf": DIALPLAN}) as pbx:
        async with adapter(pbx, 0) as control:
            legs = await make_legs(pbx, control, options.legs)
            idle = await measured(pbx.pid, options.seconds)
        async with adapter(pbx, DEAD_MAN_S) as control:
            began_s = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                for leg_id in legs:
                    tasks.create_task(control.claim(leg_id))
            claiming_s = time.monotonic() - began_s
            renewing = await measured(pbx.pid, options.seconds)
            left = len(await control.legs())
    report(len(legs), left, claiming_s, idle, renewing)


def report(legs: int, left: int, claiming_s: float, idle: Spent, renewing: Spent) -> None:
    """Print the figures and write them down."""
    cases: Sequence[dict[str, object]] = [
        {"case": "legs", "value": legs, "unit": ""},
        {"case": "legs left at the end", "value": left, "unit": "", "target": legs, "met": left == legs},
        {"case": "renewals", "value": round(legs * RENEWALS_PER_LENGTH / DEAD_MAN_S, 1), "unit": "requests/s"},
        {"case": "all legs claimed within", "value": round(claiming_s, 2), "unit": "s"},
        {"case": "node, no renewals", "value": round(idle.node, 3), "unit": "cores"},
        share("node, renewing", renewing.node),
        {"case": "Asterisk, no renewals", "value": round(idle.asterisk, 3), "unit": "cores"},
        share("Asterisk, renewing", renewing.asterisk),
        {"case": "loop late p99, no renewals", "value": round(idle.lag_p99_ms, 1), "unit": "ms"},
        {"case": "loop late p99, renewing", "value": round(renewing.lag_p99_ms, 1), "unit": "ms"},
        {"case": "loop late at most, renewing", "value": round(renewing.lag_max_ms, 1), "unit": "ms"},
    ]
    for case in cases:
        print(f"{case['case']:30} {case['value']:>8} {case['unit']} {case.get('met', '')}")
    out = ROOT / "build" / "bench" / "dead_man.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    versions = {"python": platform.python_version()}
    out.write_text(json.dumps({"machine": platform.platform(), "versions": versions, "cases": cases}, indent=1))


def share(case: str, value: float) -> dict[str, object]:
    """Return a case that has to stay below the target."""
    return {
        "case": case,
        "value": round(value, 3),
        "unit": "cores",
        "target": TARGET_SHARE,
        "met": value <= TARGET_SHARE,
    }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
