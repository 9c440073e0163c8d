"""A worker that stands still in the middle of calls: media, keys, hang-ups and new callers go on without it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from benchmarks.processes import children_running
from demo.ear import Ear
from parley.app.voices import FILLERS
from parley.conversation.record import EndReason
from tests.e2e.site import DIALPLAN, NUMBER_LINE, QUESTION, Node, agent_heard, serving
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.sip_phone import SipPhone
from tests.support.speech import require_speech

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

STOPPED_S = 2.5
"""Shorter than it takes the node to find the worker ill and to end it (Watch)."""
PACKETS_PER_S = 50
NUMBER = "471508"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    require_speech()
    async with Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def node(pbx: Asterisk, tmp_path: Path) -> AsyncIterator[Node]:
    async with serving(pbx, tmp_path) as running:
        yield running


@contextmanager
def stopped_worker(node: Node) -> Iterator[int]:
    """Let the worker stand still (SIGSTOP) while the block runs; gives its process id."""
    [pid] = children_running(node.process.pid, "parley.app.worker")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


async def media_events(node: Node, kind: str) -> float:
    """Return one of the counts of /metrics about ended audio connections."""
    name = f'parley_media_events_total{{kind="{kind}"}} '
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{node.process.http_port}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    return float(next(line for line in lines if line.startswith(name)).rpartition(" ")[2])


async def test_media_keys_hang_ups_and_new_callers_do_not_wait_for_a_stalled_worker(pbx: Asterisk, node: Node) -> None:
    async with SipPhone("15550100", server=(pbx.sip_host, pbx.sip_port)) as phone:
        talking, leaving = await phone.call(NUMBER_LINE), await phone.call(NUMBER_LINE)
        await Ear(talking).speech_ends(talking.answered_at or 0.0, quiet_s=0.5)
        with stopped_worker(node) as worker:
            begun_s, packets = time.monotonic(), talking.media.packets_received
            await talking.press(NUMBER, duration_ms=80)
            await leaving.hangup()
            [ended] = await node.logged("call ended", timeout_s=1.0)
            arriving = await phone.call(NUMBER_LINE, timeout_s=1.0)
            await Ear(arriving).speech_begins(arriving.answered_at or 0.0, timeout_s=1.0)
            await asyncio.sleep(max(0.0, begun_s + STOPPED_S - time.monotonic()))
            received = talking.media.packets_received - packets
            passed_s = time.monotonic() - begun_s
            assert children_running(node.process.pid, "parley.app.worker") == [worker]
        assert ended["reason"] == EndReason.CALLER_HUNG_UP
        assert received >= passed_s * PACKETS_PER_S * 0.95, "frames were missing while the worker stood still"
        assert agent_heard(arriving, QUESTION).clearly
        await talking.wait_ended(15.0)
        assert agent_heard(talking, FILLERS["en"]).clearly
        await arriving.hangup()
        records = await node.ended_records(3)
    [served] = [record for record in records if record.end and record.end.slots.get("number") == NUMBER]
    assert "".join(turn.caller_keys for turn in served.turns) == NUMBER
    # By the voice that stands in.
    assert served.turns[-1].agent_heard.endswith(f"You said {' '.join(NUMBER)}.")
    assert await media_events(node, "skipped_frames") == 0
    assert await media_events(node, "dropped_blocks") == 0
    await pbx.wait_until_idle()
