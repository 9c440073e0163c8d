"""The page of `parley latency`: recorded turns in, percentiles by stage on a rich Console out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parley.app.latency import percentile
from parley.conversation.record import TurnTimings
from parley.store import TurnLatency

SHARES = (0.5, 0.9, 0.95, 0.99)

ROWS: Mapping[str, str] = {
    "endpoint_ms": "last speech sample → turn over",
    "asr_ms": "→ final transcript",
    "llm_ms": "→ first token of the reply",
    "tts_ms": "→ first sample of its speech",
    "playout_ms": "→ first sample to the PBX",
    "response_ms": "all of it: what callers wait",
    "barge_in_ms": "caller's first sample over the agent → silence",
}
"""Fields of TurnTimings, and what each spans."""


def print_latency(console: Console, turns: Sequence[TurnLatency], objective_ms: int = 0) -> None:
    """Print one row per stage. The greeting (turn 0) counts from the answer and has a row of its own.

    objective_ms: for 95 % of the responses; 0: none.
    """
    if not turns:
        console.print(Text("No turns are recorded in this time."))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("Stage", "Turns", *(f"p{share * 100:g}" for share in SHARES), "Most", "From → to"):
        table.add_column(heading, justify="left" if heading in ("Stage", "From → to") else "right", no_wrap=True)
    answers = [turn.timings for turn in turns if turn.number > 0]
    for field, span in ROWS.items():
        _add_row(table, field, span, _values(answers, field))
    greetings = [turn.timings for turn in turns if turn.number == 0]
    _add_row(table, "greeting_ms", "answer → first sample of the greeting", _values(greetings, "response_ms"))
    console.print(table)
    responses = _values(answers, "response_ms")
    if objective_ms and responses:
        p95_ms = percentile(responses, 0.95)
        met = ("met", "green") if p95_ms <= objective_ms else ("missed", "red")
        console.print(Text.assemble(f"\nObjective: p95 of the response at most {objective_ms} ms: ", met))


def _values(timings: Iterable[TurnTimings], field: str) -> list[int]:
    """Return the durations in ms that there are, ascending."""
    return sorted(value for timing in timings if (value := getattr(timing, field)) is not None)


def _add_row(table: Table, field: str, span: str, values: Sequence[int]) -> None:
    stage = field.removesuffix("_ms").replace("_", "-")
    cells = [str(percentile(values, share)) for share in (*SHARES, 1.0)] if values else ["–"] * (len(SHARES) + 1)
    table.add_row(stage, str(len(values)), *cells, span)
