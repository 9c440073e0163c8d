"""Parley's processor time beside Asterisk's for the same RTP calls through a real Asterisk: an echo.

The node is `echo_node`: the adapter to ARI, the media engine, and Python that plays every block back; no conversation.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.figures import Case, require
from benchmarks.native_library import ROOT
from benchmarks.processes import Usage, usage_of
from benchmarks.rtp_load import SPEECH
from tests.support.asterisk import Asterisk
from tests.support.phone_call import PhoneCall
from tests.support.sip_phone import SipPhone
from tests.support.speech import caller_says

CALLS, QUICK_CALLS = 100, 20
SECONDS, QUICK_S = 25.0, 8.0
LIFE_S = 200
ARRIVALS_S = 0.1
SETTLE_S = 3.0
LEAST_HEARD = 0.98
"""Share of the packets that a phone should get while it is measured."""
LINE = "850"
DIALPLAN = f"""
[from-trunk](+)
exten => {LINE},1,Gosub(parley,s,1(agent=echo))
 same => n,Hangup()
"""
SHARE = 20.0


@dataclass(frozen=True, slots=True)
class Window:
    """What was used while all calls went on."""

    calls: int
    asterisk: float
    """Cores."""
    node: float
    media_share: float
    """Of the node's time: the media thread's."""
    version: str
    audio: dict[str, int]
    """Counts of the node's audio, from answer to end."""


def versions() -> dict[str, str]:
    """Asterisk's stands in its case."""
    return {}


def cases(quick: bool) -> Iterator[Case]:
    """Yield the share."""
    seen = asyncio.run(_measure(QUICK_CALLS, QUICK_S) if quick else _measure(CALLS, SECONDS))
    share = 100 * seen.node / seen.asterisk
    yield Case(
        case=f"Parley's processor time beside Asterisk's, {seen.calls} RTP calls, echo",
        value=round(share, 1),
        unit="%",
        peer=f"Asterisk {seen.version}, its process",
        peer_value=100.0,
        ratio=round(seen.asterisk / seen.node, 2),
        target=f"≤ {SHARE:g} %",
        met=share <= SHARE,
        note=f"Parley {seen.node:.3f} cores, {100 * seen.media_share:.0f} % of it the media thread (the kernel's UDP "
        f"most of all), the rest Python, once per block and mark of a call; Asterisk {seen.asterisk:.3f} cores; of "
        f"{seen.audio['received']:,} packets {seen.audio['lost']} lost, {seen.audio['late']} late, "
        f"{seen.audio['underruns']} underruns",
    )


async def _measure(calls: int, seconds: float) -> Window:
    pcm = await asyncio.to_thread(caller_says, SPEECH)
    speech = pcm * (1 + int((calls * ARRIVALS_S + SETTLE_S + seconds + 5) * 16_000) // len(pcm))
    async with (
        Asterisk(overlays=(), additions={"extensions.conf": DIALPLAN}, life_s=LIFE_S) as pbx,
        _echo_node(pbx, calls) as node,
        SipPhone("15550100", server=(pbx.sip_host, pbx.sip_port)) as phone,
    ):
        talks = []
        for number in range(calls):
            talks.append(phone.dial(LINE, caller=f"1555{number:04d}"))
            await asyncio.sleep(ARRIVALS_S)
        for talk in talks:
            await talk.wait_answered(20.0)
            talk.play(speech)
        await asyncio.sleep(SETTLE_S)
        packets = _packets(talks)
        audio_before = await _report(node)
        before = _look(pbx, node)
        await asyncio.sleep(seconds)
        after = _look(pbx, node)
        heard = _packets(talks) - packets
        audio = await _report(node)
        version = pbx.program.version
    require(heard >= LEAST_HEARD * 50 * calls * seconds, f"{calls} phones got {heard} packets in {seconds:g} s")
    require(audio["calls"] == calls, f"the node has {audio['calls']} of {calls} calls")
    media_ms = audio["media_ms"] - audio_before["media_ms"]
    share = media_ms / max(1, audio["process_ms"] - audio_before["process_ms"])
    used = [one.cores_since(other) for one, other in zip(after, before, strict=True)]
    return Window(calls, used[0], used[1], share, version, audio)


def _packets(talks: list[PhoneCall]) -> int:
    return sum(talk.media.packets_received for talk in talks)


def _look(pbx: Asterisk, node: Process) -> tuple[Usage, Usage]:
    return usage_of(pbx.pid), usage_of(node.pid)


@asynccontextmanager
async def _echo_node(pbx: Asterisk, calls: int) -> AsyncIterator[Process]:
    words = ("-m", "benchmarks.echo_node", f"{pbx.ari_url}/ari", pbx.ari_username, str(calls))
    node = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    try:
        await _tell(node, pbx.ari_password)
        await _answer(node)
        yield node
    finally:
        node.kill()
        await node.wait()


async def _report(node: Process) -> dict[str, int]:
    await _tell(node, "")
    found: dict[str, int] = json.loads(await _answer(node))
    return found


async def _tell(node: Process, line: str) -> None:
    require(node.stdin is not None, "the node takes no input")
    if node.stdin is not None:
        node.stdin.write(f"{line}\n".encode())
        await node.stdin.drain()


async def _answer(node: Process) -> bytes:
    line = b"" if node.stdout is None else await node.stdout.readline()
    require(bool(line), "the node has ended")
    return line
