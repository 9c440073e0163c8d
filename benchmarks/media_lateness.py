"""How late ticks are where Python is busy: the engine's thread beside an asyncio ticker of the same process.

`python -m benchmarks.media_lateness --busy SECONDS FREE_CORE` is the process: an engine with 100 calls, a thread that
holds the GIL as long as it may, and an event loop with a ticker that something blocks for 10 ms ten times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from benchmarks.figures import Case, require
from benchmarks.native_library import ROOT
from benchmarks.rtp_load import HOST, cores
from media_core.engine import Engine

CALLS = 100
TICK_S = 0.02
BLOCK_S = 0.01
EVERY_S = 0.1
SECONDS = 21.0
"""1,050 ticks of the ticker, so that one in a thousand is one tick."""
QUICK_S = 5.0
FIRST_PEER = 20_000
"""Ports of the peers, where nobody listens."""
PEER_HOST = "127.2.0.1"
TARGET_MS = 1.0
ASYNCIO_MS = 19.0


def versions() -> dict[str, str]:
    """Nothing but Python."""
    return {}


def cases(quick: bool) -> Iterator[Case]:
    """Yield both settings: a core for the media alone, and one that it shares with the busy interpreter."""
    core, other = cores()
    for where, python_core in (("on a core of its own", other), ("on the interpreter's core", core)):
        seen = _measure(QUICK_S if quick else SECONDS, core, python_core)
        real_time = bool(seen["real_time"])
        ours, theirs = float(seen["engine_ms"]), float(seen["ticker_ms"])
        wanted = where == "on a core of its own" and core != other
        yield Case(
            case=f"lateness of ticks under a GIL hog and a 10 ms block, p99.9, {where}",
            value=round(ours, 3),
            unit="ms",
            peer="asyncio ticker in the same process",
            peer_value=round(theirs, 3),
            ratio=round(theirs / ours, 1),
            target=f"≤ {TARGET_MS:g} ms beside ≥ {ASYNCIO_MS:g} ms" if wanted else "",
            met=(ours <= TARGET_MS and theirs >= ASYNCIO_MS) if wanted else None,
            note=f"{CALLS} calls; SCHED_FIFO {'' if real_time else 'not '}permitted; {seen['ticks']} ticks, the worst "
            f"{seen['engine_worst_ms']:.2f} ms; the ticker: {seen['ticker_ticks']} ticks, p50 "
            f"{seen['ticker_ms_p50']:.1f} ms, worst {seen['ticker_worst_ms']:.1f} ms; stolen by the hypervisor: "
            f"{seen['stolen_s']:.2f} s",
        )


def _measure(seconds: float, core: int, python_core: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.media_lateness", "--busy", str(seconds), str(core), str(python_core)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 60)
    found: dict[str, float] = json.loads(done.stdout)
    require(found["sent"] > 0, "the engine has sent nothing")
    return found


# --- the busy process -------------------------------------------------------------------------------------------


def busy(seconds: float, core: int, python_core: int) -> None:
    """Run everything for so long, and report."""
    os.sched_setaffinity(0, {python_core})
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    with Engine(sock, capacity=CALLS) as engine:
        engine.start(core=core)
        sessions = [engine.open("ulaw") for _ in range(CALLS)]
        for number, session in enumerate(sessions):
            session.connect(PEER_HOST, FIRST_PEER + number)
        time.sleep(0.5)
        ending = threading.Event()
        hog = threading.Thread(target=_hold_the_gil, args=(ending,))
        before, stolen_s = engine.stats(), _stolen_s()
        engine.forget_times()
        hog.start()
        lateness_s = sorted(asyncio.run(_tick(seconds)))
        after = engine.stats()
        report = {
            "engine_ms": engine.lateness_s(0.999) * 1000,
            "engine_worst_ms": engine.lateness_s(1.0) * 1000,
            "ticks": after.ticks - before.ticks,
            "sent": sum(session.stats().sent for session in sessions),
            "real_time": after.real_time,
            "ticker_ticks": len(lateness_s),
            "ticker_ms_p50": lateness_s[len(lateness_s) // 2] * 1000,
            "ticker_ms": lateness_s[int(len(lateness_s) * 0.999)] * 1000,
            "ticker_worst_ms": lateness_s[-1] * 1000,
            "stolen_s": _stolen_s() - stolen_s,
        }
        ending.set()
        hog.join()
    print(json.dumps(report))


def _hold_the_gil(ending: threading.Event) -> None:
    count = 0
    while not ending.is_set():
        for _ in range(10_000):
            count += 1


async def _tick(seconds: float) -> list[float]:
    """Tick every 20 ms while something blocks the loop; return how late each tick was, in seconds."""
    loop = asyncio.get_running_loop()
    blocking = asyncio.create_task(_block())
    lateness_s = []
    due_s = loop.time() + TICK_S
    end_s = due_s + seconds
    while due_s < end_s:
        await asyncio.sleep(due_s - loop.time())
        lateness_s.append(loop.time() - due_s)
        due_s += TICK_S
    blocking.cancel()
    return lateness_s


async def _block() -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        until_s = time.perf_counter() + BLOCK_S
        while time.perf_counter() < until_s:
            pass


def _stolen_s() -> float:
    """Return how long the hypervisor has kept processors to itself, all together."""
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Be the busy process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--busy", nargs=3, required=True, metavar=("SECONDS", "CORE", "PYTHON_CORE"))
    seconds, core, python_core = parser.parse_args().busy
    signal.alarm(int(float(seconds)) + 60)
    busy(float(seconds), int(core), int(python_core))


if __name__ == "__main__":
    main()
