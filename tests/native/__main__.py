"""`python -m tests.native [VARIANT…]`: run the C tests under sanitizers; what `make sanitize` does."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.native import programs


def main(wanted: Sequence[str]) -> int:
    """Run every program in each variant; return the exit status."""
    failed = []
    for variant in [programs.VARIANTS[name] for name in wanted or ("address", "thread")]:
        if programs.run("broken", variant, variant.name).returncode == 0:
            failed.append(f"{variant.name}: what it must see it does not see")
        for name in programs.names():
            done = programs.run(name, variant)
            print(f"{variant.name:8} {name:20} {'clean' if done.returncode == 0 else 'FAILED'}", flush=True)
            if done.returncode != 0:
                failed.append(f"{variant.name} {name}")
                print(done.stdout, flush=True)
    if failed:
        print(f"sanitize: failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
