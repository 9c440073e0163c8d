"""The media core beside its peers: codecs, resampling, RTP, keys, beeps, voices, proven before they are timed; calls.

`make bench BENCH=media_core`, `python -m benchmarks.media_core [--quick] [--only PART...]`. Every part yields cases;
another part is another name in PARTS, or in ENGINE_PARTS, where a short version is for a look while one works on it.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version

from benchmarks import (
    media_beep,
    media_beside_asterisk,
    media_calls,
    media_codecs,
    media_conversations,
    media_dtmf,
    media_lateness,
    media_memory,
    media_resampling,
    media_rtp,
    media_vad,
)
from benchmarks.figures import Case, WrongResult, read, table, write

PARTS = (media_codecs, media_resampling, media_dtmf, media_beep, media_rtp, media_vad)
ENGINE_PARTS = (media_calls, media_lateness, media_memory, media_conversations, media_beside_asterisk)
"""They take time and want a machine that does nothing else."""


def cases_of(name: str, quick: bool) -> Iterator[Case]:
    """Yield the cases of a part. Raises WrongResult."""
    for part in ENGINE_PARTS:
        if part.__name__ == name:
            yield from part.cases(quick)
    for kernel in PARTS:
        if kernel.__name__ == name:
            yield from kernel.cases()


def main() -> int:
    """Run the parts, print the table, write build/bench/media_core.json; 1 where a result is wrong."""
    parts = {part.__name__.removeprefix("benchmarks."): part for part in (*ENGINE_PARTS, *PARTS)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and calls")
    parser.add_argument("--keep", action="store_true", help="keep what the result file has of other cases")
    parser.add_argument("--only", nargs="+", choices=sorted(parts), default=list(parts), metavar="PART")
    options = parser.parse_args()
    cases: list[Case] = []
    versions = {"python": platform.python_version(), "numpy": version("numpy")}
    for part in (parts[name] for name in options.only):
        print(f"{part.__name__}: {(part.__doc__ or '').splitlines()[0]}", file=sys.stderr, flush=True)
        try:
            cases += cases_of(part.__name__, options.quick)
        except WrongResult as wrong:
            print(f"{part.__name__}: {wrong}", file=sys.stderr)
            return 1
        versions |= part.versions()
    if options.keep:
        new = {(case.case, case.peer) for case in cases}
        cases += [case for case in read("media_core") if (case.case, case.peer) not in new]
    print(table(cases))
    print(f"written to {write('media_core', cases, versions)}", file=sys.stderr)
    unexplained = [case.case for case in cases if case.met is False and not case.note]
    if unexplained:
        print(f"missed without an explanation: {', '.join(unexplained)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
