"""The media core beside its peers: codecs, resampling, RTP, keys, beeps, voices; proven right before they are timed.

`make bench BENCH=media_core`. Every part yields cases; another part is another name in PARTS.
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

from benchmarks import media_beep, media_codecs, media_dtmf, media_resampling, media_rtp, media_vad
from benchmarks.figures import Case, WrongResult, table, write

PARTS = (media_codecs, media_resampling, media_dtmf, media_beep, media_rtp, media_vad)


def main() -> int:
    """Run all parts, print the table, write build/bench/media_core.json; 1 where a result is wrong."""
    cases: list[Case] = []
    versions = {"python": platform.python_version(), "numpy": version("numpy")}
    for part in PARTS:
        print(f"{part.__name__}: {(part.__doc__ or '').splitlines()[0]}", file=sys.stderr, flush=True)
        try:
            cases += part.cases()
        except WrongResult as wrong:
            print(f"{part.__name__}: {wrong}", file=sys.stderr)
            return 1
        versions |= part.versions()
    print(table(cases))
    print(f"written to {write('media_core', cases, versions)}", file=sys.stderr)
    unexplained = [case.case for case in cases if case.met is False and not case.note]
    if unexplained:
        print(f"missed without an explanation: {', '.join(unexplained)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
