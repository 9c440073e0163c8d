"""A site for end-to-end tests: a private Asterisk, `parley serve` as its users start it, and its records."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from parley.conversation.text.normaliser import written_out
from parley.store import CallArchive, CallRecord, Database
from tests.support.asterisk import Asterisk
from tests.support.hearing import Heard, heard, speech_segments
from tests.support.parley_process import ROOT, LogLine, ParleyProcess
from tests.support.phone_call import PhoneCall
from tests.support.recording import RATE_HZ
from tests.support.speech import caller_says

MAIN_NUMBER = "100"
"""asterisk_conf/extensions.conf: the agent `reception`, whose flow is `appointment`."""
NUMBER_LINE = "820"
"""The agent `number`: reads six digits back."""
QUESTION = "What is your number?"
NUMBER_WORDS = "four seven one five zero eight"
READ_BACK = "You said 4 7 1 5 0 8."
"""What it asks, an answer, and what it says then."""
FLOWS = Path(__file__).parent / "flows"
AGENT_VOICE = "slt"
EXIT_TIMEOUT_S = 40.0
RECORD_TIMEOUT_S = 5.0

DIALPLAN = """
[from-trunk](+)
; 820: the agent that reads a number back. 821: an agent that parley.toml does not have.
exten => 820,1,Gosub(parley,s,1(agent=number))
 same => n,Goto(100,2)
exten => 821,1,Gosub(parley,s,1(agent=nobody))
 same => n,Goto(100,2)
"""

DESKS = """
[globals](+)
PARLEY_TRANSFERS = desks
[desks]
exten => 201,1,Dial(PJSIP/agent1,30)
 same => n,Hangup()
"""
"""For the end of a dialplan: callers may transfer the agent to the first phone inside."""

SETTINGS = """\
data_dir = "data"
flow_folders = ["@FLOWS@"]

[asterisk]
url = "{ari_url}"

[http]
port = {http_port}

[log]
json_lines = true
personal_data = true

[agents.number]
flow = "number"
voices = {{ en = "slt" }}
fallback_queue = "support"
""".replace("@FLOWS@", str(FLOWS))
"""For ParleyProcess.start(); a test appends the tables that it is about."""

RECEPTION = """
[agents.reception]
flow = "appointment"
voices = {{ en = "slt" }}
fallback_queue = "support"
"""


@dataclass
class Node:
    """A running `parley serve`, its log and its records."""

    process: ParleyProcess
    log: list[LogLine] = field(default_factory=list)

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return self.process.folder / "data" / "parley.db"

    async def records(self) -> list[CallRecord]:
        """Return the records of all calls, oldest first."""
        return await records_in(self.database)

    async def ended_records(self, count: int = 1) -> list[CallRecord]:
        """Wait until so many calls have ended, and return all records. Raises TimeoutError."""
        await self.logged("call ended", count)
        return await self.records()

    async def logged(self, event: str, count: int = 1, timeout_s: float = RECORD_TIMEOUT_S) -> list[LogLine]:
        """Wait until the log has so many lines of this event, and return them. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while len(lines := [line for line in self.log if line.get("event") == event]) < count:
                await asyncio.sleep(0.05)
        return lines

    def complaints(self) -> list[LogLine]:
        """Return the log's errors."""
        return [line for line in self.log if line.get("level") in ("error", "critical")]


async def records_in(file: Path) -> list[CallRecord]:
    """Return the records of all calls in a SQLite file, oldest first."""
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    try:
        archive = CallArchive(database)
        calls = await archive.recent(1000)
        return [record for call in reversed(calls) for record in await archive.find(call.start.call_id)]
    finally:
        await database.aclose()


@asynccontextmanager
async def serving(
    pbx: Asterisk, folder: Path, settings: str = SETTINGS, *, command: str = "serve", life_s: int = 240
) -> AsyncIterator[Node]:
    """Run `parley serve`, or another command, beside this Asterisk, for `life_s` at most."""
    log: list[LogLine] = []
    node = Node(ParleyProcess(pbx, folder, log.append, life_s=life_s, command=command), log)
    try:
        await node.process.start(settings)
        yield node
    finally:
        await node.process.stop()


@dataclass(frozen=True, slots=True)
class Exit:
    """How `parley serve` ended by itself."""

    status: int
    output: str

    @property
    def messages(self) -> list[str]:
        """The lines for the administrator's eye: no log lines."""
        return [line for line in self.output.splitlines() if not line.startswith("{")]


async def serve_in_vain(
    pbx: Asterisk, folder: Path, settings: str, *, password: str = "", http_port: int = 0, command: str = "serve"
) -> Exit:
    """Start `parley serve`, expecting that it cannot; return its status and what it wrote. Raises TimeoutError.

    command: `supervise` instead.
    """
    file = folder / "parley.toml"
    file.write_text(settings.format(ari_url=pbx.ari_url + "/ari", http_port=http_port or pbx.ports.first + 599))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parley.app.cli", command, "--config", str(file)),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PARLEY_ASTERISK__PASSWORD": password or pbx.ari_password},
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(EXIT_TIMEOUT_S):
            _, output = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Exit(process.returncode or 0, output.decode())


def agent_says(words: str) -> bytes:
    """Return the agent's words as its engine speaks them, without the silence around them."""
    pcm = caller_says(written_out(words, "en").said, AGENT_VOICE)
    segments = speech_segments(pcm)
    return pcm[2 * round(segments[0].start_s * RATE_HZ) : 2 * round(segments[-1].end_s * RATE_HZ)]


def agent_heard(call: PhoneCall, words: str) -> Heard:
    """Look for the agent's words in what a phone heard."""
    return heard(call.heard.samples(), agent_says(words))
