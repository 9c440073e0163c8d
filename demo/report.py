"""The demo's result: tables for the eye, build/demo/report.json for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.judge import Verdict, answered_turns
from demo.performance import Performance
from parley.store import CallRecord

STAGES = ("endpoint", "asr", "tts", "playout")


def report_of(performance: Performance, record: CallRecord, verdict: Verdict, transcript: Path) -> dict[str, Any]:
    """Return the report; times in ms, measured at the phones, stages by Parley from the audio's positions."""
    end = record.end
    return {
        "passed": verdict.passed,
        "greeting_ms": verdict.greeting_ms,
        "turns": [
            {
                "caller": seen.did,
                "response_ms": seen.response_ms,
                "stages": {name: getattr(turn.timings, f"{name}_ms") for name in (*STAGES, "response")},
                "agent": turn.agent_text,
                "agent_heard": turn.agent_heard,
                "confidence": round(turn.confidence, 2),
            }
            for seen, turn in zip(performance.turns, answered_turns(record), strict=False)
        ],
        "barge_in_ms": verdict.barge_in_ms,
        "transfer": {
            "whisper_heard_by_agent": verdict.whisper_at_agent.clearly,
            "whisper_heard_by_caller": not verdict.whisper_at_caller.not_at_all,
            "queued_ms": verdict.queued_ms,
            "rang_ms": verdict.rang_ms,
            "bridged_ms": verdict.bridged_ms,
        },
        "outcome": end.outcome if end else "",
        "recording": end.recording if end else "",
        "transcript": str(transcript),
        "checks": [asdict(check) for check in verdict.checks],
    }


def write_report(report: dict[str, Any], file: Path) -> None:
    """Write the report as JSON."""
    file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def print_report(console: Console, report: dict[str, Any]) -> None:
    """Print latencies, checks, and where everything lies."""
    table = Table(
        title="Response, ms: caller's last sound → agent's first, at the caller's phone", title_justify="left"
    )
    for heading in ("caller", "response", *(f"of it {stage}" for stage in STAGES)):
        table.add_column(heading, justify="left" if heading == "caller" else "right")
    for turn in report["turns"]:
        stages = [turn["stages"][stage] for stage in STAGES]
        cells = ["–" if ms is None else str(ms) for ms in stages]
        table.add_row(escape(turn["caller"]), str(turn["response_ms"]), *cells)
    console.print(table)
    transfer = report["transfer"]
    console.print(
        f"answered → greeting {report['greeting_ms']} ms · interruption → silence {report['barge_in_ms']} ms · "
        f"asked for a person → music {transfer['queued_ms']} ms → agent's phone rings {transfer['rang_ms']} ms · "
        f"whisper ends → bridged {transfer['bridged_ms']} ms",
        highlight=False,
    )
    for check in report["checks"]:
        mark = "[green]ok  [/]" if check["passed"] else "[red]FAIL[/]"
        console.print(f"  {mark} {escape(check['name'])} ({escape(check['seen'])})", highlight=False)
    console.print(
        f"recording  {report['recording']}\ntranscript {report['transcript']}", highlight=False, soft_wrap=True
    )
