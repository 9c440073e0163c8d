"""`make bench`: run every benchmark, or the one that is named."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("media_core", "recognition", "chorus", "flood", "dead_man", "capacity", "heard_text")
GROUPS = {"conversation": ("heard_text",)}
"""Names for several at once."""


def main(names: list[str]) -> int:
    """Run the named benchmarks (all without names), each in a process of its own; 0 if all ran."""
    unknown = [name for name in names if name not in (*BENCHMARKS, *GROUPS)]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join((*BENCHMARKS, *GROUPS))}")
        return 2
    chosen = [one for name in names for one in GROUPS.get(name, (name,))] or BENCHMARKS
    return max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
