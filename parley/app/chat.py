"""`parley chat FLOW`: talk with a call script in the terminal, without a PBX, speech or models.

A line of text is speech, a line that begins with `/` is keys (`/1`, `/123456#`), an empty line is silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.markup import escape

from parley.conversation.flow.run import FlowRun
from parley.conversation.flow.step import GoOn, HangUp, Heard, Listen, Step, Transfer


def chat(
    console: Console,
    run: FlowRun,
    answers: Iterable[str],
) -> None:
    """Perform the run, taking the caller's part from `answers`; returns when the run or the answers end."""
    step = run.start()
    _show(console, step)
    for answer in answers:
        if not isinstance(step.then, Listen):
            break
        step = _answered(run, answer.strip())
        _show(console, step)
        if not isinstance(step.then, Listen):
            break
    _show_result(console, run)


def _answered(run: FlowRun, answer: str) -> Step:
    if not answer:
        return run.silence()
    if answer.startswith("/"):
        return run.press(answer.removeprefix("/").rstrip("#"))
    return run.hear(Heard(text=answer))


def _show(console: Console, step: Step) -> None:
    for line in step.say:
        console.print(f"[cyan]agent[/]  {escape(line.text)}")
    match step.then:
        case Listen(node=node, kind=kind):
            console.print(f"[dim]        waiting in {escape(node)} for {kind.value}[/]")
        case Transfer(destination=destination, is_number=is_number, summary=summary):
            what = "number" if is_number else "queue"
            console.print(f"[green]        transfer to the {what} {escape(destination)}[/]")
            if summary:
                console.print(f"[green]        the queue agent hears: {escape(summary)}[/]")
        case HangUp():
            console.print("[green]        hang up[/]")
        case GoOn():
            console.print("[green]        go on in the dialplan[/]")


def _show_result(console: Console, run: FlowRun) -> None:
    result = run.result
    shown: Mapping[str, str] = {
        "outcome": result.outcome,
        "intent": result.intent,
        **{f"slot {name}": value for name, value in result.slots.items()},
    }
    for name, value in shown.items():
        if value:
            console.print(f"[dim]{escape(name)}: {escape(value)}[/]")
