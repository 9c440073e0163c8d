"""`python -m tests.native.fuzzing SECONDS`: let libFuzzer look for datagrams that harm us; what `make fuzz` does.

All targets run at the same time, each from packets as they should be and from what earlier runs have found
(build/fuzz). What does harm is written there, and its name is the last line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from media_core.rtp import build_rtp, build_telephone_event
from tests.native import programs
from tools import fuzzer

FOUND = programs.ROOT / "build" / "fuzz"
LONGEST_INPUT = 4000
MOST_MEMORY_MB = 1024
REPORT = b"\x81\xc9\x00\x07" + bytes(28)
"""An RTCP receiver report with one block."""


def variant() -> programs.Variant:
    """Return how targets are compiled for libFuzzer, with all sanitizers. Exits where nothing can."""
    compiler = fuzzer.command()
    if compiler is None:
        sys.exit("fuzz: there is no clang with libFuzzer, and none could be unpacked; nothing was run")
    return programs.Variant(
        "fuzz",
        ("-O1", "-DPM_NO_CLONES", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"),
        compiler=tuple(compiler),
        has_driver=True,
    )


def seeds(target: str) -> list[bytes]:
    """Return inputs as they should be, for the fuzzer to spoil."""
    event = build_telephone_event("5", 160)
    stream = [build_rtp(kind, n, n * 160, 7, bytes([n]) * 160) for n, kind in enumerate((0, 8, 9, 10))]
    datagrams = [*stream, build_rtp(101, 9, 1600, 7, event), REPORT, build_rtp(13, 10, 1760, 7, b"\x20")]
    if target == "fuzz_connection":
        return connections()
    if target != "fuzz_session":
        return datagrams
    records = b"".join(bytes((len(datagram), 10)) + datagram for datagram in datagrams)
    return [bytes([kind]) + records for kind in range(32)]  # four codecs, each with all detectors on or off


def connections() -> list[bytes]:
    """Return what is said over AudioSocket and what is handed over, whole and cut in two, in each rate."""
    messages = [b"\x10\0\x80" + bytes(128), b"\x12\0\xc0" + bytes(192), b"\x03\0\x015", b"\xff\0\x01\x01", b"\0\0\0"]
    whole = b"".join(bytes((len(message), 10)) + message for message in messages)
    halves = b"".join(bytes((2, 1)) + message[:2] + bytes((len(message) - 2, 9)) + message[2:] for message in messages)
    return [bytes([way]) + records for way in range(8) for records in (whole, halves)]


def start(target: str, seconds: int, made: programs.Variant) -> subprocess.Popen[bytes]:
    """Build a target and let it run."""
    corpus = FOUND / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_INPUT,
        "rss_limit_mb": MOST_MEMORY_MB,
        "timeout": 10,
        "print_final_stats": 1,
        "verbosity": 0,
        "artifact_prefix": f"{FOUND}/{target}-",
    }
    program = programs.build(target, made)
    return subprocess.Popen(
        [str(program), *(f"-{name}={value}" for name, value in options.items()), str(corpus)],
        stderr=(FOUND / f"{target}.log").open("wb"),
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"},
    )


def statistics(log: Path) -> str:
    """Return what libFuzzer says it has done."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("stat::")]
    return ", ".join(" ".join(line.removeprefix("stat::").split()) for line in lines[:2])


def main(arguments: Sequence[str]) -> int:
    """Fuzz every target for so many seconds; return the exit status."""
    seconds = int(arguments[0]) if arguments else 60
    made = variant()
    running = {target: start(target, seconds, made) for target in programs.fuzz_targets()}
    failed = [target for target, process in running.items() if process.wait() != 0]
    for target in running:
        log = FOUND / f"{target}.log"
        print(f"{target:14} {'FAILED' if target in failed else 'clean'}: {seconds} s, {statistics(log)}")
    for target in failed:
        print((FOUND / f"{target}.log").read_text(errors="replace")[-4000:])
        print(f"fuzz: {target} fails with the input in {FOUND.relative_to(programs.ROOT)}/{target}-crash-…")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
