"""The command `parley`.

Each command imports what it needs: `serve` may be starting with callers waiting for it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Coroutine, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parley import __version__
from parley.app.exit_status import exit_status
from parley.app.findings import Finding, Level
from parley.app.models_cli import models
from parley.app.settings import Settings, load_settings, load_settings_if_any
from parley.app.settings_tables import SettingsError
from parley.app.time_spans import TimeError, moment_of

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="AI voice agent for your own PBX.")
init = typer.Typer(no_args_is_help=True, help="Write the settings and what the PBX needs.")
calls = typer.Typer(no_args_is_help=True, help="Look at recorded calls.")
app.add_typer(init, name="init")
app.add_typer(calls, name="calls")
app.add_typer(models, name="models")

UNFOLDED_COLUMNS = 240
"""Of what another program reads: lines that are folded for a terminal could not be searched or cut up."""

console = Console(width=None if sys.stdout.isatty() else UNFOLDED_COLUMNS)
errors = Console(stderr=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="parley.toml; else $PARLEY_CONFIG, else ./")]

MARKS = {Level.OK: "[green]ok     [/]", Level.WARNING: "[yellow]warning[/]", Level.PROBLEM: "[red]problem[/]"}


def main() -> None:
    """Run the command line; user errors end with one message, and status 2, or 75 where it may work later."""
    try:
        app()
    except user_errors() as err:
        errors.print(f"[red]parley:[/] {escape(str(err))}", highlight=False, soft_wrap=True)
        sys.exit(exit_status(err))


def user_errors() -> tuple[type[Exception], ...]:
    """Return the errors that the user can do something about; asked for when there is one."""
    from audio_fork.errors import AudioForkError
    from media_core.errors import EngineStartError
    from parley.app.init_asterisk import InitError
    from parley.app.model_files import ModelError
    from parley.call_control import CallControlError
    from parley.conversation.errors import FlowError
    from parley.store import StoreError

    ours = (
        SettingsError,
        TimeError,
        InitError,
        FlowError,
        StoreError,
        CallControlError,
        AudioForkError,
        EngineStartError,
    )
    return *ours, ModelError, OSError


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        console.print(f"parley {__version__}", highlight=False)
        raise typer.Exit


@init.command("asterisk")
def init_asterisk_command(
    folder: Annotated[Path, typer.Option(help="Where parley.toml goes.")] = Path(),
    agent: Annotated[str, typer.Option(help="Name of the first agent.")] = "reception",
    flow: Annotated[str, typer.Option(help="Its call script.")] = "appointment",
    queue: Annotated[str, typer.Option(help="Queue that takes callers whom the agent cannot serve.")] = "support",
    ari_url: Annotated[str, typer.Option(help="Asterisk's ARI.")] = "http://127.0.0.1:8088/ari",
    force: Annotated[bool, typer.Option("--force", help="Write parley.toml anew.")] = False,
) -> None:
    """Write parley.toml and exactly the lines that Asterisk needs, and say where they go."""
    from parley.app.init_asterisk import Choices, init_asterisk

    done = init_asterisk(folder.absolute(), Choices(agent, flow, queue, ari_url), force=force)
    console.print(f"Written: {done.settings_file}, {done.password_file.name} (secret), {done.snippet_folder.name}/\n")
    for number, step in enumerate(done.steps, 1):
        console.print(f"[bold]{number}. {escape(step.where)}[/]", highlight=False)
        console.print(f"   {escape(step.what)}", highlight=False, soft_wrap=True)
        for line in step.lines.splitlines():
            console.print(f"       [cyan]{escape(line)}[/]", highlight=False, soft_wrap=True)
        console.print()
    console.print(f"The same steps: {done.snippet_folder / 'STEPS.txt'}. Then: parley doctor, and parley serve.")


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """Check everything a call needs; each finding comes with its fix."""
    # What the log would say, that the media thread has no real-time priority for one, is true of this process only.
    logging.getLogger().addHandler(logging.NullHandler())
    worst = asyncio.run(_examine(load_settings(config)))
    raise typer.Exit(1 if worst is Level.PROBLEM else 0)


async def _examine(settings: Settings) -> Level:
    from parley.app.doctor import examine

    levels = [Level.OK]
    async for finding in examine(settings):
        _print_finding(finding)
        levels.append(finding.level)
    worst = max(levels, key=list(Level).index)
    console.print(
        {
            Level.OK: "\nReady for calls: parley serve",
            Level.WARNING: "\nCalls will work; see the warnings.",
            Level.PROBLEM: "\nCalls would fail; see the problems.",
        }[worst]
    )
    return worst


def _print_finding(finding: Finding) -> None:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=7)
    table.add_column(width=16, no_wrap=True)
    table.add_column()
    fix = f"\n[bold]fix:[/] {escape(finding.fix)}" if finding.fix else ""
    table.add_row(MARKS[finding.level], escape(finding.check), escape(finding.detail) + fix)
    console.print(table, highlight=False)


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Serve calls until SIGTERM or Ctrl-C; then finish those that go on."""
    import uvloop

    from parley.app.logs import configure_logging
    from parley.app.node import serve as serve_node

    settings = load_settings(config)
    configure_logging(settings.log.json_lines, settings.log.level, settings.log.personal_data)
    # Where no thread may carry the media a timer of this loop does; uvloop keeps its timers closer than asyncio.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_node(settings))


@app.command()
def supervise(config: ConfigOption = None) -> None:
    """Keep a node and its worker running; SIGHUP changes over to a new pair without dropping a call."""
    from parley.app.logs import configure_logging
    from parley.app.supervisor import supervise as run_supervisor

    settings = load_settings(config)
    configure_logging(settings.log.json_lines, settings.log.level, settings.log.personal_data)
    raise typer.Exit(run_supervisor(settings, config))


@app.command()
def chat(
    flow: Annotated[str, typer.Argument(help="Name of a flow, or path of its folder or file.")],
    language: Annotated[str, typer.Option(help="Language; else the flow's first.")] = "",
    variable: Annotated[list[str] | None, typer.Option(help="name=value, as the dialplan would pass it.")] = None,
    config: ConfigOption = None,
) -> None:
    """Talk with a call script in the terminal: text is speech, /123 is keys, an empty line is silence."""
    from parley.app.chat import chat as hold_chat
    from parley.app.flows import load_flow_named
    from parley.conversation.errors import FlowError
    from parley.conversation.flow.run import FlowRun

    script = load_flow_named(load_settings_if_any(config), flow)
    chosen = language or script.languages[0]
    if chosen not in script.languages:
        raise FlowError(f"{flow}: speaks {', '.join(script.languages)}, not {chosen!r}")
    facts = dict(pair.partition("=")[::2] for pair in variable or [])
    hold_chat(console, FlowRun(script, chosen, facts, date.today()), _typed_lines())


@app.command("flow")
def flow_check(
    flow: Annotated[str, typer.Argument(help="Name of a flow, or path of its folder or file.")],
    config: ConfigOption = None,
) -> None:
    """Check a call script: errors, things worth a look, and its rehearsals (tests.yaml)."""
    from parley.app.flows import flow_place
    from parley.conversation.flow.loader import load_flow
    from parley.conversation.flow.rehearsal import load_rehearsals, rehearse

    place = flow_place(load_settings_if_any(config), flow)
    script = load_flow(place)
    for warning in script.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}", highlight=False, soft_wrap=True)
    folder = place if place.is_dir() else place.parent
    rehearsals = load_rehearsals(folder / "tests.yaml") if (folder / "tests.yaml").exists() else []
    failed = 0
    for rehearsal in rehearsals:
        problems = rehearse(script, rehearsal)
        failed += bool(problems)
        console.print(
            f"{'[red]failed[/]' if problems else '[green]ok[/]    '} {escape(rehearsal.name)}", highlight=False
        )
        for problem in problems:
            console.print(f"        {escape(problem)}", highlight=False, soft_wrap=True)
    console.print(f"{script.name}: {', '.join(script.languages)}; {len(rehearsals)} rehearsals, {failed} failed")
    raise typer.Exit(1 if failed else 0)


def _typed_lines() -> Iterator[str]:
    """Yield what is typed (or piped in) until its end."""
    while True:
        try:
            yield console.input("[green]caller[/] ") if sys.stdin.isatty() else input()
        except (EOFError, KeyboardInterrupt):
            return


@app.command()
def latency(
    since: Annotated[str, typer.Option(help="From: a time ago (90m, 24h, 7d) or a date (2026-11-25, local).")] = "24h",
    until: Annotated[str, typer.Option(help="To, in the same words; else now.")] = "",
    agent: Annotated[str, typer.Option(help="Only this agent's calls.")] = "",
    config: ConfigOption = None,
) -> None:
    """Show how long callers wait for the agent: percentiles by stage, of the calls offered in a time span."""
    now = time.time()
    begin, end = moment_of(since, now), moment_of(until, now) if until else None
    _run(_show_latency(load_settings(config), begin, end, agent))


@calls.command("list")
def calls_list(
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    numbers: Annotated[bool, typer.Option("--numbers", help="Show callers' numbers in full.")] = False,
    config: ConfigOption = None,
) -> None:
    """List the newest calls."""
    _run(_list_calls(load_settings(config), limit, numbers))


@calls.command("show")
def calls_show(
    call_id: Annotated[str, typer.Argument(help="The call's id, or its beginning.")],
    numbers: Annotated[bool, typer.Option("--numbers", help="Show the caller's number in full.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show a call: transcript, timings, outcome."""
    _run(_show_call(load_settings(config), call_id, numbers))


async def _list_calls(settings: Settings, limit: int, numbers: bool) -> None:
    from parley.app.call_pages import print_calls
    from parley.store import CallArchive, Database

    database = await Database.open(settings.database_url)
    try:
        print_calls(console, await CallArchive(database).recent(limit), numbers=numbers)
    finally:
        await database.aclose()


async def _show_call(settings: Settings, call_id: str, numbers: bool) -> None:
    from parley.app.call_pages import print_call
    from parley.store import CallArchive, Database

    database = await Database.open(settings.database_url)
    try:
        for record in await CallArchive(database).find(call_id):
            print_call(console, record, numbers=numbers)
    finally:
        await database.aclose()


async def _show_latency(settings: Settings, since: float, until: float | None, agent: str) -> None:
    from parley.app.latency_page import print_latency
    from parley.store import CallArchive, Database

    database = await Database.open(settings.database_url)
    try:
        turns = await CallArchive(database).latencies(since=since, until=until, agent=agent)
        print_latency(console, turns, settings.latency.p95_ms)
    finally:
        await database.aclose()


def _run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(work)


if __name__ == "__main__":
    main()
