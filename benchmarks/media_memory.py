"""Memory of a call in the engine: by how much engines of different capacity make a process grow.

`python -m benchmarks.media_memory CALLS SPEECH_MS` is such a process: it opens and connects all calls, gives each some
speech of its own, lets them run, and prints by how much its resident memory has grown, in octets.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.figures import Case
from benchmarks.native_library import ROOT
from benchmarks.rtp_load import HOST
from media_core.engine import Engine
from media_core.prompt import Prompt

SMALL, LARGE = 500, 2500
LIMIT_KB = 32.0
PEER_HOST = "127.2.0.1"
FIRST_PEER = 20_000
RUNNING_S = 1.0
LONGEST_LIFE_S = 60


def versions() -> dict[str, str]:
    """Nothing beside it."""
    return {}


def cases(quick: bool) -> Iterator[Case]:
    """Yield a call that only listens, one with a prompt that all share, and one with a second of its own speech."""
    del quick  # it takes a few seconds
    for speech_ms, what in ((0, "prompts by reference"), (1000, "and 1 s of its own speech queued as µ-law")):
        small, large = _grown(SMALL, speech_ms), _grown(LARGE, speech_ms)
        kilobytes = (large - small) / (LARGE - SMALL) / 1024
        yield Case(
            case=f"memory of a call in the engine, {what}",
            value=round(kilobytes, 2),
            unit="KB",
            target=f"≤ {LIMIT_KB:g} KB",
            met=kilobytes <= LIMIT_KB,
            note=f"resident memory of processes with {SMALL} and {LARGE} running calls: {small >> 10:,} and "
            f"{large >> 10:,} KB more than before the engine; the caller's audio ring of 16 frames, the jitter buffer, "
            "a share of the events and Python's objects of a call are in it",
        )


def _grown(calls: int, speech_ms: int) -> int:
    command = [sys.executable, "-m", "benchmarks.media_memory", str(calls), str(speech_ms)]
    return int(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout)


def _resident() -> int:
    [line] = [line for line in Path("/proc/self/smaps_rollup").read_text().splitlines() if line.startswith("Rss:")]
    return int(line.split()[1]) * 1024


def fill(calls: int, speech_ms: int) -> int:
    """Run an engine that is full; return by how much the process has grown."""
    speech = np.random.default_rng(1).integers(-8000, 8000, 8 * speech_ms, np.int16).tobytes()
    shared = Prompt(bytes(16_000))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    before = _resident()
    with Engine(sock, capacity=calls) as engine:
        engine.start()
        sessions = [engine.open("ulaw") for _ in range(calls)]
        for number, session in enumerate(sessions):
            session.connect(PEER_HOST, FIRST_PEER + number)
            session.play(Prompt(speech) if speech_ms else shared)
        grown = _resident() - before
        time.sleep(RUNNING_S)
        grown = max(grown, _resident() - before)
    return grown


if __name__ == "__main__":
    signal.alarm(LONGEST_LIFE_S)
    print(fill(int(sys.argv[1]), int(sys.argv[2])))
