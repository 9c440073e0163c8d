"""Calls on one core: the engine beside a task per call on asyncio and on uvloop, and beside a bare C echo.

Server and generator are processes with a core each. The number of calls grows until the 99th percentile of the ticks is
late or a packet is lost in either direction; a size counts as too many when that happens twice. Rounds go by turns.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from benchmarks.figures import Case
from benchmarks.native_library import program
from benchmarks.rtp_load import Load, Seen, cores, may_run_in_real_time, run_load

FRAME_US = 20_000
STEP = 1.15
"""From one size to the next."""
MOST_CALLS = 12_000
LATE_MS = 1.0
LATE_LOOP_MS = 5.0
"""For event loops, whose timers are rounded to 1 ms: by the limit of the others they would not hold one call."""
COMPARED_CALLS = 2000
ROUNDS = 2
COMPARISONS = 2
DERIVED = "20,000 µs over the media thread's µs per call-frame: what a whole core would carry, not what was seen"
SPENT = (
    "By perf (1,500 calls, a busy machine) 67 % of the media thread is the kernel's UDP, which the bare echo has too; "
    "27 % is the engine (jitter buffer 5, speech detection 5, playout, encoding and decoding 4, looking up senders 3, "
    "waiting for the memory of a call 3, counts and the rest 7), 4 % copying, 2 % logarithms of levels"
)
"""Where the engine's time goes beyond the bare echo's."""


@dataclass(slots=True)
class Contestant:
    """A server and how many calls it has held."""

    name: str
    command: Callable[[int], Sequence[str]]
    first_calls: int
    late_ms: float
    held: list[int] = field(default_factory=list)
    """Most calls, by round."""
    last: Seen | None = None
    """Its largest run that held."""
    broke: str = ""
    """What the next size failed by."""

    def run(self, calls: int) -> Seen:
        """Let it serve so many calls."""
        return run_load(self.command(calls), Load(calls, seconds=2.6, warm_up_ms=600))

    def fault(self, seen: Seen) -> str:
        """Say why a run does not count as held; empty when it does."""
        if seen.lost or seen.generator.unsent:
            return f"{seen.lost + seen.generator.unsent} of {2 * seen.generator.sent} packets lost"
        if float(seen.server["late_ms_p99"]) > self.late_ms:
            return f"p99 tick {float(seen.server['late_ms_p99']):.1f} ms late"
        return ""

    def holds(self, calls: int) -> bool:
        """Try so many calls, and once more when they are too many."""
        for _ in range(2):
            seen = self.run(calls)
            fault = self.fault(seen)
            if not fault:
                if self.last is None or calls >= self.last.generator.calls:
                    self.last = seen
                return True
        self.broke = f"at {calls:,} calls {fault}"
        if seen.generator_was_late:
            self.broke += " (the generator itself was late)"
        return False

    def ramp(self) -> None:
        """Find the most calls that it holds, from what it held last time on; 0 when it does not hold one."""
        calls = (self.held[-1] if self.held else 0) or self.first_calls
        if self.holds(calls):
            while calls < MOST_CALLS and self.holds(larger := max(calls + 1, round(calls * STEP))):
                calls = larger
        else:
            while (calls := min(calls - 1, round(calls / STEP))) and not self.holds(calls):
                pass
        self.held.append(calls)
        print(f"  {self.name}: {calls} calls, {self.broke}", file=sys.stderr, flush=True)


def versions() -> dict[str, str]:
    """What it is measured beside."""
    return {"uvloop": version("uvloop")}


def contestants() -> dict[str, Contestant]:
    """Return all of them, by name."""
    core, _ = cores()
    echo = str(program("rtp_echo"))

    def server(kind: str) -> Callable[[int], Sequence[str]]:
        return lambda calls: [sys.executable, "-m", "benchmarks.rtp_servers", kind, str(calls), str(core), "{port}"]

    everybody = (
        Contestant("engine", server("engine"), 2000, LATE_MS),
        Contestant("bare C echo", lambda _: [echo, str(core)], 2000, LATE_MS),
        Contestant("uvloop", server("uvloop"), 300, LATE_LOOP_MS),
        Contestant("asyncio", server("asyncio"), 150, LATE_LOOP_MS),
    )
    return {one.name: one for one in everybody}


def microseconds(seen: Seen) -> float:
    """Return the processor time for one frame of one call, both ways."""
    return float(seen.server["cpu_s"]) / max(1, int(seen.server["frames"])) * 1e6


def cases(quick: bool) -> Iterator[Case]:
    """Yield the ramps and the comparison in processor time."""
    everybody = contestants()
    for _ in range(1 if quick else ROUNDS):
        for one in everybody.values():
            one.ramp()
    engine, echo = everybody["engine"], everybody["bare C echo"]
    most = statistics.median_low(engine.held)
    circumstances = f"{'' if may_run_in_real_time() else 'no '}SCHED_FIFO for all; {engine.broke}"
    yield Case("calls held on one core", most, "calls", target="≥ 2,000", met=most >= 2000, note=circumstances)
    yield _beside(engine, everybody["uvloop"], f"uvloop {version('uvloop')}, a task per call", 5.0)
    yield _beside(engine, everybody["asyncio"], "asyncio, a task per call", None)
    yield _beside(engine, echo, "recvmmsg and sendmmsg in bare C", 0.85)
    pairs = [(engine.run(COMPARED_CALLS), echo.run(COMPARED_CALLS)) for _ in range(1 if quick else COMPARISONS)]
    yield from _by_processor_time(pairs, everybody["uvloop"].last)


def _beside(ours: Contestant, peer: Contestant, name: str, least: float | None) -> Case:
    # A peer that held no call counts as one that held one, which is to its advantage.
    ratios = [one / max(1, other) for one, other in zip(ours.held, peer.held, strict=True)]
    ratio = statistics.median_low(ratios)
    return Case(
        case="calls held on one core",
        value=statistics.median_low(ours.held),
        unit="calls",
        peer=name,
        peer_value=statistics.median_low(peer.held),
        ratio=round(ratio, 3),
        ratio_least=round(min(ratios), 3),
        ratio_most=round(max(ratios), 3),
        target="" if least is None else f"≥ {least:g} ×",
        met=None if least is None else ratio >= least,
        note=f"ours broke {ours.broke}; the peer broke {peer.broke}; its limit is p99 {peer.late_ms:g} ms. {SPENT}",
    )


def _by_processor_time(pairs: Sequence[tuple[Seen, Seen]], uvloop_seen: Seen | None) -> Iterator[Case]:
    ours, floor = [microseconds(one) for one, _ in pairs], [microseconds(other) for _, other in pairs]
    ratios = [other / one for one, other in zip(ours, floor, strict=True)]
    took = max(float(one.server["took_ms_p99"]) for one, _ in pairs)
    whole = statistics.median(float(one.server["process_s"]) / float(one.server["cpu_s"]) for one, _ in pairs)
    yield Case(
        case=f"processor time of a call-frame, {COMPARED_CALLS:,} calls",
        value=round(statistics.median(ours), 3),
        unit="µs",
        peer="recvmmsg and sendmmsg in bare C",
        peer_value=round(statistics.median(floor), 3),
        ratio=round(statistics.median(ratios), 3),
        ratio_least=round(min(ratios), 3),
        ratio_most=round(max(ratios), 3),
        target="≥ 0.85 ×",
        met=statistics.median(ratios) >= 0.85,
        note=f"media thread; the whole process {whole:.2f} × that; a tick's work took {took:.2f} ms (p99). {SPENT}",
    )
    per_core = FRAME_US / statistics.median(ours)
    theirs = None if uvloop_seen is None else FRAME_US / microseconds(uvloop_seen)
    yield Case(
        case="calls per core, extrapolated",
        value=round(per_core),
        unit="calls",
        peer=f"uvloop {version('uvloop')}, a task per call",
        peer_value=None if theirs is None else round(theirs),
        ratio=None if theirs is None else round(per_core / theirs, 3),
        target="≥ 3,500",
        met=per_core >= 3500,
        note=f"{DERIVED}. {SPENT}",
    )
