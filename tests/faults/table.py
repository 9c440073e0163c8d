"""The fault table: one row per case, printed at the end of the run and written to build/test/faults.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.support.parley_process import ROOT

FILE = ROOT / "build" / "test" / "faults.json"
LONGEST_SILENCE_MS = 10_000
"""No caller waits longer for a sound, whatever has failed."""


@dataclass(slots=True)
class Row:
    """One case."""

    case: str
    silence_ms_max: int | None = None
    """The longest silence of any of its callers (tests/support/silence.py says what counts); None: not measured."""
    ended_in: str = ""
    """completed, queue, resumed, hung_up_by_caller, lost; several joined by `+`. Empty: did not come so far."""
    passed: bool = False
    leaks: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Facts that were committed to the record before the fault and are not there afterwards."""
    note: str = ""
    left_out: str = ""
    """Why the case was not run here; it has not passed then."""


class FaultTable:
    """The rows of one run, in the order in which the cases were run."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def write(self, file: Path = FILE) -> None:
        """Write all rows."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([asdict(row) for row in self.rows], indent=2) + "\n", encoding="utf-8")

    def lines(self) -> Iterator[str]:
        """Yield the table for people."""
        width = max((len(row.case) for row in self.rows), default=0)
        for row in self.rows:
            if row.left_out:
                yield f"{row.case:{width}}  left out: {row.left_out}"
                continue
            silence = "-" if row.silence_ms_max is None else f"{row.silence_ms_max / 1000:.1f} s"
            yield (
                f"{row.case:{width}}  {'passed' if row.passed else 'FAILED'}  silence {silence:>7}  "
                f"{row.ended_in or '-'}{f'  ({row.note})' if row.note else ''}"
            )
            yield from (f"{'':{width}}  left behind: {leak}" for leak in row.leaks)
            yield from (f"{'':{width}}  lost: {fact}" for fact in row.lost)
