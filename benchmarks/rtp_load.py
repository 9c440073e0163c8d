"""RTP calls against a media server: the generator's process and the server's, each on a core of its own.

The server is whatever speaks the words of `rtp_servers`: it prints where calls go, a line on its standard input begins
the measurement, another ends it, and at the end of the input it reports. Both processes have a bounded life.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import media_core
from benchmarks.native_library import ROOT, program
from tests.support.speech import caller_says

HOST = "127.0.0.1"
SPEECH = "I would like to come on Tuesday morning at half past nine, if that is possible."
ANSWERS_S = 60.0
"""How long a process may take to start or to sum up."""
MARGIN_S = 0.2
"""From the end of the warm-up to the beginning of the server's measurement, and from its end to the last packets."""


def cores() -> tuple[int, int]:
    """Return the core of the media server and the one of everybody else; the same where there is only one."""
    own = sorted(os.sched_getaffinity(0))
    return own[0], own[-1]


def may_run_in_real_time() -> bool:
    """Tell whether processes may ask for SCHED_FIFO."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


@dataclass(frozen=True, slots=True)
class Heard:
    """What the generator saw. Intervals are those of what came back, beside 20 ms; times are milliseconds."""

    calls: int
    sent: int
    unsent: int
    received: int
    judged: int
    lost: int
    reordered: int
    duplicate: int
    strays: int
    interval_off_ms_p50: float
    interval_off_ms_p99: float
    interval_off_ms_p999: float
    asked: int
    answered: int
    talked_over: int
    """Words that ended while the server spoke: nobody waits for an answer to them."""
    response_ms_p50: int
    response_ms_p95: int
    response_ms_worst: int
    slots: int
    late_slots: int
    worst_slot_ms: float
    cpu_s: float

    @classmethod
    def of(cls, line: str) -> Self:
        """Read the generator's report."""
        found = json.loads(line)
        return cls(**{field.name: found[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Load:
    """What the calls are like."""

    calls: int
    seconds: float = 4.0
    warm_up_ms: int = 1000
    speech: Path | None = None
    """µ-law octets; None: a sentence without a pause."""
    words_ms: int = 0
    """How much of the speech are words, where answers to them are to be timed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One run: both sides' reports."""

    generator: Heard
    server: Mapping[str, Any]

    @property
    def lost(self) -> int:
        """Packets that did not arrive, of both directions."""
        return self.generator.lost + max(0, self.generator.sent - int(self.server["heard"]))

    @property
    def generator_was_late(self) -> bool:
        """More than one in a hundred of its own slots: then it is not the server that has found its limit."""
        return self.generator.late_slots * 100 > self.generator.slots


def sentence() -> Path:
    """Return a file of µ-law speech."""
    path = ROOT / "build" / "bench" / "sentence.ulaw"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(media_core.ulaw_encode(caller_says(SPEECH)))
    return path


def run_load(server: Sequence[str], load: Load) -> Seen:
    """Let the calls be made.   server: command; `{port}` stands for the port of the generator.

    Raises RuntimeError when one of the two fails.
    """
    _, core = cores()
    words = [core, load.calls, load.seconds, load.warm_up_ms, load.speech or sentence(), load.words_ms]
    with _running([str(program("rtp_generator")), *map(str, words)]) as generator:
        port = int(json.loads(_line_of(generator))["port"])
        with _running([word.replace("{port}", str(port)) for word in server]) as media:
            ports = json.loads(_line_of(media))["ports"]
            _tell(generator, f"{HOST} {len(ports)} {' '.join(map(str, ports))}\n")
            warm_s = load.warm_up_ms / 1000 + MARGIN_S
            time.sleep(warm_s)
            _tell(media, "begin\n")
            time.sleep(load.seconds - warm_s - MARGIN_S)
            _tell(media, "end\n")
            heard = Heard.of(_line_of(generator))
            _stdin(media).close()
            report = json.loads(_line_of(media))
    return Seen(heard, report)


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
        process.wait(ANSWERS_S)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _stdin(process: subprocess.Popen[str]) -> Any:
    if process.stdin is None:
        raise RuntimeError("no standard input")
    return process.stdin


def _tell(process: subprocess.Popen[str], text: str) -> None:
    _stdin(process).write(text)
    _stdin(process).flush()


def _line_of(process: subprocess.Popen[str]) -> str:
    """Return what the process says next; every process ends by itself, so there is an end to waiting."""
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise RuntimeError(f"{process.args!r} ended without a report")
    return line
