"""Strangers knock at the ports of a call's audio, in the middle of the call."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Sequence

import pytest

from tests.faults.case import Case
from tests.faults.site import FaultSite
from tests.faults.traces import udp_ports_of
from tests.support.hearing import heard
from tests.support.phone_codec import ULAW
from tests.support.speech import caller_says

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]

STRANGER_WORDS = "Hello, can anybody hear me on this line? I am not supposed to be here."
ATTACK_S = 6.0
FRAME_S = 0.02
GARBAGE = (b"", b"\x00", b"\x80", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 1400, b"\x80\x00" + bytes(2000))
"""Sent with every frame."""


async def speak_to(ports: Sequence[int], pcm: bytes) -> int:
    """Send speech as RTP, and garbage, to each port from a socket of our own; return how many datagrams went out."""
    octets, sent = ULAW.encode(pcm), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        stranger.bind(("127.0.0.1", 0))
        due_s = time.monotonic()
        for number in range(round(ATTACK_S / FRAME_S)):
            start = number * 160 % len(octets)
            header = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160, 0x57A6)
            for port in ports:
                for datagram in (header + octets[start : start + 160], *GARBAGE):
                    stranger.sendto(datagram, ("127.0.0.1", port))
                    sent += 1
            due_s += FRAME_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
    return sent


@pytest.mark.case("strangers' UDP on the media ports")
async def test_strangers_datagrams_are_neither_heard_nor_understood(site: FaultSite, case: Case) -> None:
    words = caller_says(STRANGER_WORDS, "kal")
    idle = set(udp_ports_of(site.pbx.pid))
    caller = await case.in_mid_call()
    own = udp_ports_of(site.node.pid)
    pbx = [port for port in udp_ports_of(site.pbx.pid) if port not in idle]
    assert own
    assert pbx
    began_s = time.monotonic()
    await speak_to(own + pbx, words)
    await case.go_on(caller, time.monotonic())
    assert heard(caller.call.heard.samples(began_s), words).not_at_all
    assert await site.metric("parley_media_engine", kind="strangers") > 0
    said = [turn.caller_text for turn in (await site.records())[-1].turns]
    assert not {"hear", "hello"} & set(" ".join(said).split())
