"""Cases of a benchmark: what was seen beside which peer, whether that was the aim, written as JSON and as a table."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "build" / "bench"


class WrongResult(Exception):
    """What is to be timed does not do what it should: its speed would say nothing."""


def require(condition: bool, text: str) -> None:
    """Stop the benchmark where a result is wrong. Raises WrongResult."""
    if not condition:
        raise WrongResult(text)


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table."""

    case: str
    value: float
    unit: str
    peer: str = ""
    """What it is measured beside, with its version; empty for none."""
    peer_value: float | None = None
    ratio: float | None = None
    """Peer's value over ours where less is better: how many times better we are. Median of the rounds."""
    ratio_least: float | None = None
    ratio_most: float | None = None
    target: str = ""
    met: bool | None = None
    """None where there is no target."""
    note: str = ""
    """Explains a miss; says what the figure does not."""


def write(name: str, cases: Sequence[Case], versions: Mapping[str, str]) -> Path:
    """Write build/bench/NAME.json."""
    path = FOLDER / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"machine": machine(), "versions": dict(versions), "cases": [asdict(case) for case in cases]}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read(name: str) -> list[Case]:
    """Return the cases of build/bench/NAME.json; none where there is no such file."""
    path = FOLDER / f"{name}.json"
    return [Case(**case) for case in json.loads(path.read_text("utf-8"))["cases"]] if path.exists() else []


def machine() -> str:
    """Say on what this ran, and how busy it was besides."""
    cpus = f"{os.cpu_count()} × {_processor()}"
    return f"{cpus}, {platform.system()} {platform.release()}, load average {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def table(cases: Iterable[Case]) -> str:
    """Return the cases as a Markdown table, for docs/performance.md."""
    lines = ["| case | ours | peer | ratio (least–most) | target | met |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(_cells(case))} |" for case in cases]
    return "\n".join(lines)


def _cells(case: Case) -> list[str]:
    peer = "–" if case.peer_value is None else f"{_number(case.peer_value)} {case.unit}: {case.peer}"
    ratio = "–"
    if case.ratio is not None:
        ratio = f"{case.ratio:.2f}"
        if case.ratio_least is not None and case.ratio_most is not None:
            ratio += f" ({case.ratio_least:.2f}–{case.ratio_most:.2f})"
    met = {None: "–", True: "yes", False: "no"}[case.met]
    return [case.case, f"{_number(case.value)} {case.unit}", peer, ratio, case.target or "–", met]


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
