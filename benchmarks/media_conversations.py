"""500 calls with conversations on one node, its engines canned: no packet lost, and how soon callers are answered.

What is in the node and what is not stands in `conversation_node`. The callers of rtp_generator.c say six digits, each
at moments of its own, and wait; the time from the last of their words to the first sound that comes back is theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import media_core
from benchmarks.conversation_node import NUMBER
from benchmarks.figures import Case, require
from benchmarks.native_library import ROOT
from benchmarks.rtp_load import Load, Seen, cores, run_load
from parley.conversation.flow.step import AnswerKind
from parley.conversation.settings import PATIENCE_MS
from tests.support.speech import caller_says

CALLS, QUICK_CALLS = 500, 100
SECONDS, QUICK_S = 45.0, 32.0
WARM_UP_MS = 20_000
"""Until everybody speaks in turn with the agent: the callers' first words come at any moment."""
PAUSE_MS = 5500
"""Between a caller's answers; the agent's read-back and question take 3 s of it."""
FRAME = 160
LEAST_ANSWERED = 98.0
"""Per cent."""
SPENT = (
    "The limit is the one core that Python can use: by cProfile with 100 calls, 42 % of its time is the record "
    "(SQLAlchemy and SQLite, a commit per turn), 13 % the dialogue, 6 % RtpAudio; turns wait while commits queue up"
)


def versions() -> dict[str, str]:
    """Nothing beside it."""
    return {}


def cases(quick: bool) -> Iterator[Case]:
    """Yield loss and response."""
    calls, seconds = (QUICK_CALLS, QUICK_S) if quick else (CALLS, SECONDS)
    speech, words_ms = _words()
    core, _ = cores()
    node = [sys.executable, "-m", "benchmarks.conversation_node", str(calls), str(core), "{port}"]
    seen = run_load(node, Load(calls, seconds, WARM_UP_MS, speech, words_ms))
    generator, server = seen.generator, seen.server
    require(int(server["active"]) == calls, f"of {calls} conversations {server['active']} go on at the end")
    require(generator.asked > 0, f"{calls} callers have asked nothing")
    note = _circumstances(seen)
    yield Case(
        case=f"{calls} calls with conversations: packets lost, both ways",
        value=seen.lost,
        unit="packets",
        target="0",
        met=seen.lost == 0,
        note=f"of {generator.sent + generator.judged:,}. {note}",
    )
    turns = generator.asked + generator.talked_over
    share = 100 * generator.answered / turns
    yield Case(
        case=f"{calls} calls with conversations: callers' words answered before their next",
        value=round(share, 1),
        unit="%",
        target=f"≥ {LEAST_ANSWERED:g} %",
        met=share >= LEAST_ANSWERED,
        note=f"{generator.answered:,} of {turns:,}; under {generator.talked_over:,} the agent spoke. {SPENT}",
    )
    patience_ms = PATIENCE_MS[AnswerKind.DIGITS]
    yield Case(
        case=f"{calls} calls with conversations: last word to first sound, p95",
        value=generator.response_ms_p95,
        unit="ms",
        note=f"p50 {generator.response_ms_p50} ms, worst {generator.response_ms_worst} ms, {generator.answered:,} of "
        f"{generator.asked:,} answered; {patience_ms} ms of it wait for more digits. {note}",
    )


def _words() -> tuple[Path, int]:
    """Write what a caller says and return it with the length of the words in ms, to whole frames."""
    payload = media_core.ulaw_encode(caller_says(NUMBER))
    payload = payload[: _end_of_sound(payload)]
    words = payload + b"\xff" * (-len(payload) % FRAME)
    path = ROOT / "build" / "bench" / "number.ulaw"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(words + b"\xff" * (PAUSE_MS * 8))
    return path, len(words) // 8


def _end_of_sound(payload: bytes) -> int:
    """Return where the last sound of µ-law speech ends, in octets."""
    return next(end for end in range(len(payload), 0, -1) if ~payload[end - 1] & 0x7F >= 0x20)


def _circumstances(seen: Seen) -> str:
    server, seconds = seen.server, float(seen.server["seconds"])
    media, whole = float(server["cpu_s"]) / seconds, float(server["process_s"]) / seconds
    return (
        f"Media thread {media:.2f} cores, the whole node {whole:.2f}; tick p99 {float(server['late_ms_p99']):.2f} ms "
        f"late, event loop p99 {float(server['loop_late_ms_p99']):.1f} ms; what comes back to callers p99.9 "
        f"{seen.generator.interval_off_ms_p999:.1f} ms off its time; in it: engine, conversation, flow, SQLite record; "
        "not in it: PBX, recognition, synthesis"
    )
