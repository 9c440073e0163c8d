"""The steps of tools/prepare.py in their order, and how they are told to the person who waits."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from tools import (
    aarch64,
    asterisk,
    bench_peers,
    compiler,
    engines,
    fuzzer,
    python_environment,
    spandsp,
    speech,
    voice_model,
)
from tools.packages import PackagesUnavailable
from tools.places import PreparationFailed

STEPS: dict[str, Callable[[], None]] = {
    "compiler": compiler.prepare,
    "python": python_environment.prepare,
    "speech": speech.prepare,
    "asterisk": asterisk.prepare,
    "old-asterisk": asterisk.prepare_old,
    "spandsp": spandsp.prepare,
    "voice-model": voice_model.prepare,
    "fuzzer": fuzzer.prepare,
    "aarch64": aarch64.prepare,
    "peers": bench_peers.prepare,
    "faster-whisper": engines.prepare_faster_whisper,
    "openai-whisper": engines.prepare_openai_whisper,
    "piper": engines.prepare_piper,
    "openai": engines.prepare_openai,
    "llama": engines.prepare_llama,
}
ALWAYS = ("compiler", "python", "speech")


def main(arguments: Sequence[str]) -> int:
    """Run the steps asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools/prepare.py", description="Make a fresh checkout of Parley ready.")
    parser.add_argument("--with", dest="wanted", nargs="+", default=[], choices=list(STEPS), help="further steps")
    parser.add_argument("--only", nargs="+", choices=list(STEPS), help="these steps and no others")
    chosen = parser.parse_args(arguments)
    names = chosen.only or [name for name in STEPS if name in ALWAYS or name in chosen.wanted]
    for name in names:
        if not _run(name):
            return 1
    return 0


def _run(name: str) -> bool:
    started_s = time.monotonic()
    try:
        STEPS[name]()
    except (PreparationFailed, PackagesUnavailable) as error:
        print(f"prepare: {name}: {error}", file=sys.stderr)
        return False
    except subprocess.CalledProcessError as error:
        command = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd))
        print(f"prepare: {name}: this command failed with status {error.returncode}: {command}", file=sys.stderr)
        return False
    elapsed_s = time.monotonic() - started_s
    if elapsed_s > 1.0:
        print(f"prepare: {name}: done in {elapsed_s:.0f} s", flush=True)
    return True
