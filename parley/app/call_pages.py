"""The pages of `parley calls list` and `parley calls show ID`: records in, a rich Console out.

Everything that a caller may have sent is written as plain text: no markup, no terminal sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parley.app.queue_record import AGENT_ANSWERED, QUEUE_LEFT
from parley.app.terminal_text import visible
from parley.call_control import QueueExit
from parley.conversation.record import CallEnd, CallNote, CallStart, EndReason, Turn
from parley.store import CallOverview, CallRecord

SHOWN_DIGITS = 2
"""Last characters of a number that masking leaves."""

HEADINGS = ("Started", "Call", "Agent", "Caller", "Duration", "Outcome", "Reason", "Turns")
"""Of the list."""
UNBROKEN = ("Started", "Call", "Caller", "Duration", "Turns")
"""Those that are never folded: an id in two parts could be neither copied nor searched for."""

STAGES = ("endpoint", "asr", "llm", "tts", "playout", "response", "barge_in")
"""Columns of the timings; each is a field `<stage>_ms` of TurnTimings."""

MOMENTS = ("last_speech", "endpoint", "final", "first_token", "speech_ready", "first_sound")
"""Columns of the moments; each is a field `<moment>_at_ms` of TurnMoments."""

GOOD_ENDS = {EndReason.COMPLETED, EndReason.TRANSFERRED, EndReason.CALLER_HUNG_UP, EndReason.TAKEN_AWAY}


def print_calls(
    console: Console, calls: Sequence[CallOverview], *, numbers: bool = False, zone: tzinfo | None = None
) -> None:
    """Print one row per call; where nobody looks (a pipe, a file), each on one line, however long.

    numbers: show callers' numbers whole.   zone: for times of day; None is the machine's own.
    """
    if not calls:
        console.print(Text("No calls are recorded yet, or none that match."))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in HEADINGS:
        table.add_column(
            heading,
            overflow="fold",
            no_wrap=heading in UNBROKEN or not console.is_terminal,
            justify="right" if heading in ("Duration", "Turns") else "left",
        )
    rows = [_row(call, numbers, zone) for call in calls]
    for row in rows:
        table.add_row(*row)
    table.width = _width(rows, console.width if console.is_terminal else None)
    console.print(table, crop=False)


def _width(rows: Sequence[Sequence[Text]], wanted: int | None) -> int:
    """Return how wide the list is to be: as wanted (None: whole), unless that would break what is never folded."""
    columns = zip(HEADINGS, zip(*rows, strict=True), strict=True)
    whole: dict[str, int] = {
        heading: max(cell_len(heading), *(cell.cell_len for cell in cells)) for heading, cells in columns
    }
    gaps = len(HEADINGS) - 1
    if wanted is None:
        return sum(whole.values()) + gaps
    least = sum(width if heading in UNBROKEN else len(heading) for heading, width in whole.items()) + gaps
    return max(least, min(wanted, sum(whole.values()) + gaps))


def _row(call: CallOverview, numbers: bool, zone: tzinfo | None) -> list[Text]:
    return [
        _time_of(call.start.started_at, zone, "%m-%d %H:%M"),
        _text(call.start.call_id),
        _text(call.start.agent),
        _caller(call.start, numbers),
        _duration(call.start, call.end),
        _text(call.end.outcome if call.end else ""),
        _reason(call.end),
        Text(str(call.turn_count)),
    ]


def print_call(console: Console, call: CallRecord, *, numbers: bool = False, zone: tzinfo | None = None) -> None:
    """Print everything recorded of a call: header, dialogue, timings, notes. Parameters as for `print_calls`."""
    console.print(_header(call, numbers, zone))
    for turn in call.turns:
        _print_turn(console, turn)
    timed = [turn for turn in call.turns if any(_stage_ms(turn, stage) is not None for stage in STAGES)]
    if timed:
        console.print(Text("\nTimings in ms", style="bold"))
        console.print(_per_turn(timed, STAGES, _stage_ms))
        console.print(Text("\nReached, in ms after the call was offered", style="bold"))
        console.print(_per_turn(timed, MOMENTS, _moment_ms))
    if call.notes:
        console.print(Text("\nNotes", style="bold"))
        notes = Table.grid(padding=(0, 2))
        for note in call.notes:
            details = " ".join(f"{name}={value}" for name, value in note.details.items())
            notes.add_row(_offset(note.at_ms), _text(note.kind), _text(details))
        console.print(notes)


def masked(number: str) -> str:
    """Return the number with all but its last characters hidden, its length too."""
    return "•••" + (number[-SHOWN_DIGITS:] if len(number) > SHOWN_DIGITS else "")


def _header(call: CallRecord, numbers: bool, zone: tzinfo | None) -> Table:
    grid = Table.grid(padding=(0, 2))
    start, end = call.start, call.end
    rows = [
        ("Call", _text(start.call_id)),
        ("Leg", _text(start.leg_id if start.leg_id != start.call_id else "")),
        ("Agent", _text(f"{start.agent} (flow {start.flow}, {start.language})")),
        ("Caller", _caller(start, numbers)),
        ("Called", _text(start.dnis)),
        ("Direction", _text(start.direction)),
        ("Started", _time_of(start.started_at, zone)),
        ("Answered", Text("no") if call.answered_ms is None else Text(f"after {call.answered_ms} ms")),
        ("Duration", _duration(start, end)),
        ("Ended", _reason(end)),
    ]
    if end is not None:
        rows += [
            ("Outcome", _text(end.outcome)),
            ("Intent", _text(end.intent)),
            ("Transferred to", _text(end.transferred_to)),
            ("Hangup cause", Text(str(end.hangup_cause) if end.hangup_cause else "")),
            ("Summary", _text(end.summary)),
            *((f"Slot {visible(name)}", _text(value)) for name, value in end.slots.items()),
            ("Recording", _text(end.recording)),
        ]
    rows += [("Queue", told) for told in map(_in_queue, call.notes) if told]
    for label, value in rows:
        if value:
            grid.add_row(Text(label, style="bold"), value)
    return grid


def _print_turn(console: Console, turn: Turn) -> None:
    """Print what the caller did and what the agent said in return, hanging under the turn's time and node."""
    console.print(Text.assemble("\n", _offset(turn.at_ms), f"  turn {turn.number}  ", (visible(turn.node), "dim")))
    lines = Table.grid(padding=(0, 2))
    if turn.caller_keys:
        lines.add_row("  caller", Text.assemble("keys ", (visible(turn.caller_keys), "bold")))
    if turn.caller_text or turn.rejected:
        lines.add_row("  caller", _said(turn))
    if turn.agent_text:
        lines.add_row("  agent", _spoken(turn))
    if lines.row_count:
        console.print(lines)


def _said(turn: Turn) -> Text:
    understood = ("not understood", "yellow") if turn.rejected else f"confidence {turn.confidence:.2f}"
    said = Text.assemble((visible(turn.caller_text), "bold"), "  (", understood, ")")
    if turn.interrupted_agent:
        said.append("  interrupted the agent", style="yellow")
    return said


def _spoken(turn: Turn) -> Text:
    """Return the agent's words; where the caller did not hear them all, what was heard and what was not."""
    said, heard = turn.agent_text.strip(), turn.agent_heard.strip()
    if heard == said:
        return _text(said)
    if not said.startswith(heard):
        return Text.assemble(visible(said), ("\nheard: ", "yellow"), visible(heard))
    unheard = (visible(said[len(heard) :].strip()), "strike")
    return Text.assemble(visible(heard), " " if heard else "", ("[not heard: ", "yellow"), unheard, ("]", "yellow"))


def _per_turn(turns: Sequence[Turn], names: Sequence[str], value_ms: Callable[[Turn, str], int | None]) -> Table:
    """Return a table with a row for each turn and a column for each name."""
    table = Table(box=None, pad_edge=False)
    table.add_column("turn", justify="right")
    for name in names:
        table.add_column(name.replace("_", "-"), justify="right")
    for turn in turns:
        cells = [value_ms(turn, name) for name in names]
        table.add_row(str(turn.number), *("–" if cell is None else str(cell) for cell in cells))
    return table


def _stage_ms(turn: Turn, stage: str) -> int | None:
    value: int | None = getattr(turn.timings, f"{stage}_ms")
    return value


def _moment_ms(turn: Turn, moment: str) -> int | None:
    value: int | None = getattr(turn.moments, f"{moment}_at_ms")
    return value


def _in_queue(note: CallNote) -> Text | None:
    """Return what a note tells of the caller's way through a queue, None for other notes."""
    details = {name: visible(value) for name, value in note.details.items()}
    queue, waited_s = details.get("queue", ""), details.get("waited_s", "?")
    if note.kind == AGENT_ANSWERED:
        return Text.assemble((details.get("agent", ""), "bold"), f" took the call in {queue} after {waited_s} s")
    if note.kind != QUEUE_LEFT:
        return None
    match details.get("exit"):
        case QueueExit.ABANDONED:
            return Text(f"the caller gave up waiting in {queue} after {waited_s} s", style="yellow")
        case QueueExit.UNSERVED:
            return Text(f"left {queue} after {waited_s} s: nobody took the call", style="yellow")
        case _:
            return Text(f"they talked for {details.get('talked_s', '?')} s")


def _text(value: str) -> Text:
    return Text(visible(value))


def _caller(start: CallStart, numbers: bool) -> Text:
    if not start.ani:
        return Text("withheld", style="dim")
    return _text(start.ani if numbers else masked(start.ani))


def _time_of(seconds: float, zone: tzinfo | None, layout: str = "%Y-%m-%d %H:%M:%S") -> Text:
    return Text(datetime.fromtimestamp(seconds, zone).strftime(layout))


def _duration(start: CallStart, end: CallEnd | None) -> Text:
    if end is None:
        return Text("going on", style="green")
    minutes, seconds = divmod(max(0, round(end.ended_at - start.started_at)), 60)
    return Text(f"{minutes}:{seconds:02}")


def _reason(end: CallEnd | None) -> Text:
    if end is None:
        return Text("")
    return Text(end.reason.value.replace("_", " "), style="" if end.reason in GOOD_ENDS else "red")


def _offset(at_ms: int) -> Text:
    """Return a time on the session clock, to the ms."""
    return Text(f"+{at_ms // 1000}.{at_ms % 1000:03} s")
