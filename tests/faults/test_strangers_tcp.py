"""Strangers knock at Parley's listening ports in the middle of a call; `test_strangers` has UDP.

Asterisk connects to this node with the audio: one port for all calls, where anybody may connect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.faults.case import Case, have_a_call
from tests.faults.site import FaultSite
from tests.faults.test_strangers import ATTACK_S, FRAME_S, STRANGER_WORDS
from tests.faults.traces import listening_ports_of
from tests.support.audiosocket import Kind, encode
from tests.support.hearing import heard
from tests.support.parley_process import LogLine
from tests.support.speech import caller_says

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]

UPGRADE = (
    b"GET /media/x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: media\r\n\r\n"
)
HTTP_NONSENSE = (
    UPGRADE,
    UPGRADE + b"\x82\xfe\x01\x40" + bytes(324),
    b"\x82\xfe\x01\x40" + bytes(324),
    b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n\x00\xff nonsense\r\n\r\n",
    b"POST /audiosocket HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nchannel=1.1",
    b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
)
"""WebSocket, HTTP and TLS to ports that may speak another protocol, or may wait for the end of something."""
LONG_ATTACK_S = 15.0
"""In which a caller calls and is understood."""
MOST_COMPLAINTS = 10
"""Lines above INFO that all of it may cost the log."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(site: FaultSite) -> AsyncIterator[FaultSite]:
    """The shared site, its node with a port for the audio of all calls."""
    environment = {"PARLEY_MEDIA__TRANSPORT": "audiosocket"}
    async with site.node_at(replace(site.place, node_environment=environment)):
        await have_a_call(site)
        yield site


def audiosocket_openings(pcm: bytes) -> list[bytes]:
    """Return what strangers send who know the protocol: speech with an id of their own, without any, and half an id."""
    frames = [encode(Kind.SLIN, pcm[start : start + 320]) for start in range(0, len(pcm), 320)]
    speech = b"".join(frames)
    return [encode(Kind.ID, uuid4().bytes) + speech, speech, b"\x01\x00", b"", encode(Kind.HANGUP), b"\xff" * 100_000]


async def knock_at(ports: Sequence[int], openings: Sequence[bytes], seconds: float = ATTACK_S) -> int:
    """Open a connection to each port with every frame, send an opening and wait; return how many there were.

    None is closed before the end: whoever listens has to get rid of it.
    """
    strangers: list[asyncio.StreamWriter] = []
    due_s = time.monotonic()
    try:
        for opening in islice(cycle(openings), round(seconds / FRAME_S)):
            for port in ports:
                _, stranger = await asyncio.open_connection("127.0.0.1", port)
                strangers.append(stranger)
                stranger.write(opening)
            due_s += FRAME_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
    finally:
        for stranger in strangers:
            stranger.transport.abort()
    return len(strangers)


@pytest.mark.case("strangers' TCP on the AudioSocket port, and a caller who comes meanwhile")
async def test_strangers_connections_are_neither_heard_nor_in_the_way(site: FaultSite, case: Case) -> None:
    words = caller_says(STRANGER_WORDS, "kal")
    first = await case.in_mid_call()
    [port] = set(listening_ports_of(site.node.pid)) - {site.node.http_port}
    began_s = time.monotonic()
    attack = asyncio.create_task(knock_at([port], audiosocket_openings(words), LONG_ATTACK_S))
    second = case.dial()
    await second.understood()
    assert not attack.done(), "the caller came when the strangers were gone"
    await attack
    await asyncio.gather(*(case.go_on(caller, time.monotonic()) for caller in (first, second)))
    for caller in (first, second):
        assert heard(caller.call.heard.samples(began_s), words).not_at_all
    for why in ("unknown_id", "no_audiosocket", "no_id"):
        assert await site.metric("parley_audiosocket_refused_total", why=why) > 0
    said = [turn.caller_text for record in (await site.records())[-2:] for turn in record.turns]
    assert not {"hear", "hello"} & set(" ".join(said).split())
    assert len(complaints(site)) <= MOST_COMPLAINTS


@pytest.mark.case("strangers' WebSocket, HTTP and TLS on all ports of Parley's")
async def test_nonsense_on_every_port_harms_no_call(site: FaultSite, case: Case) -> None:
    caller = await case.in_mid_call()
    ports = listening_ports_of(site.node.pid)
    assert len(ports) == 2
    refused = await site.metric("parley_audiosocket_refused_total", why="no_audiosocket")
    await knock_at(ports, HTTP_NONSENSE)
    await case.go_on(caller, time.monotonic())
    assert await site.metric("parley_audiosocket_refused_total", why="no_audiosocket") > refused
    assert len(complaints(site)) <= MOST_COMPLAINTS


def complaints(site: FaultSite) -> list[LogLine]:
    """Return the lines above INFO of the node's log."""
    return [line for line in site.log if line.get("level") not in ("debug", "info")]
