"""`make demo`: play one call and judge it; `make demo ARGS=--listen`: stay up for a softphone."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from demo.caller import Caller
from demo.ear import NothingHeard
from demo.judge import judge
from demo.performance import Performance
from demo.queue_agent import take_call, talk
from demo.report import print_report, report_of, write_report
from demo.stage import LIFE_S, RESULTS, stage
from demo.timeline import Timeline
from parley.app.call_pages import print_call
from parley.store import CallArchive, CallRecord, Database
from tests.support.asterisk import Asterisk
from tests.support.parley_process import LogLine
from tests.support.phone_call import CallFailed, PhoneCall
from tests.support.sip_phone import SipPhone

MAIN_NUMBER = "100"


async def play(console: Console) -> bool:
    """Play the call; return whether everything in it really happened."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    timeline = Timeline(console)
    console.print("Starting a private Asterisk and Parley, both on loopback …")
    async with stage(RESULTS, lambda line: _tell(timeline, line)) as (pbx, parley):
        console.print(f"Asterisk {pbx.program.version} and Parley are up. A caller dials {MAIN_NUMBER}.\n")
        try:
            performance = await _perform(pbx, timeline)
        except (NothingHeard, CallFailed) as err:
            write_report({"passed": False, "failed": str(err)}, RESULTS / "report.json")
            console.print(f"[red]failed:[/] {escape(str(err))}; Parley's log: {parley.folder / 'parley.log'}")
            return False
        record = await _record_of_the_call(parley.folder / "data" / "parley.db")
        whisper = next((parley.folder / "data" / "whispers").glob("*.wav"), None)
        verdict = judge(performance, record, whisper)
        performance.heard.save(RESULTS / "caller-heard.wav")
        performance.handover.heard.save(RESULTS / "queue-agent-heard.wav")
    transcript = RESULTS / "transcript.txt"
    with transcript.open("w", encoding="utf-8") as file:
        print_call(Console(file=file, width=110), record)
    report = report_of(performance, record, verdict, transcript)
    write_report(report, RESULTS / "report.json")
    console.print()
    print_report(console, report)
    console.print("[green]passed[/]" if verdict.passed else "[red]failed[/]")
    return verdict.passed


async def _perform(pbx: Asterisk, timeline: Timeline) -> Performance:
    server = (pbx.sip_host, pbx.sip_port)
    async with (
        SipPhone("15550100", server=server) as caller_phone,
        SipPhone("agent1", server=server, port=pbx.ports.agent(1)) as agent_phone,
    ):
        timeline.restart(dialled_s := time.monotonic())
        call = await caller_phone.call(MAIN_NUMBER, name="Jane Doe", timeout_s=20.0)
        performance = Performance(dialled_s, call.answered_at or dialled_s, heard=call.heard, said=call.said)
        timeline.add("asterisk", "answers for Parley", call.answered_at)
        agent = asyncio.create_task(take_call(agent_phone, performance.handover, timeline))
        try:
            await Caller(call, performance, timeline).book_and_ask_for_a_person()
            await talk(call, await agent, performance.handover, timeline)
        finally:
            agent.cancel()
        await _end(call)
    return performance


async def _end(call: PhoneCall) -> None:
    """Let the dialplan end the call after the queue agent has hung up; hang up if it does not."""
    await asyncio.sleep(1.0)
    await call.hangup()


async def _record_of_the_call(file: Path) -> CallRecord:
    """Return the record of the only call."""
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    try:
        archive = CallArchive(database)
        newest = await archive.recent(1)
        return (await archive.find(newest[0].start.call_id))[0]
    finally:
        await database.aclose()


def _tell(timeline: Timeline, line: LogLine) -> None:
    """Show what Parley understood and said, from its log."""
    if line.get("event") == "turn":
        heard = f"understood {line['pii_caller']!r} ({line['confidence']}), " if line["pii_caller"] else ""
        timeline.add("parley", f"{heard}said {line['pii_agent']!r}")
    elif line.get("level") in ("warning", "error", "critical"):
        timeline.add("parley", f"{line['level']}: {line.get('event')} {line.get('problem', '')}")


async def listen(console: Console) -> bool:
    """Stay up until Ctrl-C or for ten minutes, and say how to call in."""
    timeline = Timeline(console)
    async with stage(RESULTS, lambda line: _tell(timeline, line)) as (pbx, _):
        console.print(
            f"\nPoint a softphone on this machine at SIP server 127.0.0.1, UDP port {pbx.sip_port}, no registration, "
            f"any user name, and dial {MAIN_NUMBER}.\nFor the queue agent's part, a second one with user name agent1 "
            f"listening at UDP port {pbx.ports.agent(1)}.\n"
            f"Everything stops after {LIFE_S // 60} minutes, or with Ctrl-C.",
            highlight=False,
        )
        await asyncio.sleep(LIFE_S - 10)
    return True


def main() -> int:
    """Run what the arguments ask for; 0 only if it worked."""
    arguments = argparse.ArgumentParser(prog="demo", description=__doc__)
    arguments.add_argument("--listen", action="store_true", help="stay up and let a softphone call")
    console = Console(soft_wrap=True)
    wanted = listen if arguments.parse_args().listen else play
    try:
        return 0 if asyncio.run(wanted(console)) else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
