"""Where a benchmark's figures go: build/bench/NAME.json, with the machine and the versions that made them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]


def machine() -> str:
    """Return the system, the processor and how many cores of it this process may use."""
    model = next(
        (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine()
    )
    return f"{platform.platform()}, {model}, {len(os.sched_getaffinity(0))} cores"


def write_results(name: str, cases: Sequence[Mapping[str, object]], *packages: str, **further: str) -> Path:
    """Write the cases down.   packages: whose versions matter.   further: other versions by name."""
    versions = {"python": platform.python_version(), **{package: version(package) for package in packages}, **further}
    path = ROOT / "build" / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(), "versions": versions, "cases": list(cases)}
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
