"""Calls whose callers have brought their audio connection with them, over a real AudioSocket port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from audio_fork.audiosocket_server import AudioSocketServer
from audio_fork.media_engine import MediaEngine
from parley.app.dialplan_arrivals import DialplanArrivals
from parley.call_control import HangupCause, LegId
from parley.conversation.record import EndReason
from tests.app.calls import FakeNode, running_node
from tests.app.test_switchboard import GOODBYE, QUESTION
from tests.contract.benches import until
from tests.fakes.call_control import FakeCallControl

LEG = LegId("1.1")
ARGUMENTS = ("agent=reception",)


@dataclass
class Offering:
    """Offers what arrives as a leg of the fake PBX."""

    control: FakeCallControl

    async def offer(
        self, channel_id: str, connection_id: str, arguments: Sequence[str], let_go: Callable[[], None]
    ) -> LegId:
        leg = self.control.caller_arrives(
            *arguments, leg_id=channel_id, connection_id=connection_id, already_answered=True
        )
        return leg.id

    async def disconnected(self, leg_id: LegId) -> None:
        """Let the fake PBX tell by itself."""


@dataclass
class Arrived:
    """A node with one caller, and the caller's end of the connection."""

    node: FakeNode
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def presses(self, key: str) -> None:
        self.writer.write(b"\x03\x00\x01" + key.encode())


@asynccontextmanager
async def arrived(folder: Path, flow: str) -> AsyncIterator[Arrived]:
    engine = MediaEngine.open()
    server = AudioSocketServer([engine])
    await server.listen("127.0.0.1", 0)
    made: list[DialplanArrivals] = []
    async with asyncio.TaskGroup() as tasks:

        def arrivals_at(control: FakeCallControl) -> DialplanArrivals:
            made.append(
                DialplanArrivals(
                    Offering(control), server, ready=lambda: True, on_refused=print, spawn=tasks.create_task
                )
            )
            return made[-1]

        async with running_node(folder, flow, arrivals_at=arrivals_at) as node:
            ticket, _, place = made[0].ticket(LEG, ARGUMENTS).partition("@")
            reader, writer = await asyncio.open_connection(*place.split(":"))
            writer.write(b"\x01\x00\x10" + UUID(ticket).bytes)
            try:
                assert await until(partial(_is_offered, node))
                yield Arrived(node, reader, writer)
            finally:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()
        await server.aclose()
        engine.close()


async def _is_offered(node: FakeNode) -> bool:
    return LEG in node.control.records


async def answered(node: FakeNode) -> bool:
    async def now() -> bool:
        return node.answers_recorded > 0

    return await until(now)


async def test_call_is_held_over_the_connection_that_the_caller_came_with(tmp_path: Path) -> None:
    async with arrived(tmp_path, GOODBYE) as caller:
        record = await caller.node.until_gone(LEG)
        sound = await caller.reader.read(100_000)
        assert sound[:3] == b"\x10\x01\x40"
    assert record.hung_up_with is HangupCause.NORMAL_CLEARING
    assert [turn.agent_heard for turn in caller.node.log.turns] == ["Hello and goodbye."]


async def test_keys_of_the_connection_answer_the_question(tmp_path: Path) -> None:
    async with arrived(tmp_path, QUESTION) as caller:
        assert await answered(caller.node)
        while not caller.node.control.record(LEG).gone:
            caller.presses("1")
            await asyncio.sleep(0.05)
        record = await caller.node.until_gone(LEG)
    assert record.variables_set["PARLEY_SLOT_SURE"] == "yes"


async def test_caller_whose_connection_ends_a_moment_before_the_leg_has_hung_up(tmp_path: Path) -> None:
    async with arrived(tmp_path, QUESTION) as caller:
        assert await answered(caller.node)
        caller.writer.transport.abort()
        await asyncio.sleep(0.02)
        caller.node.control.caller_hangs_up(LEG)
        await caller.node.until_gone(LEG)
    assert caller.node.log.end is not None
    assert caller.node.log.end.reason is EndReason.CALLER_HUNG_UP
    assert caller.node.log.end.transferred_to == ""


async def test_caller_whose_connection_ends_a_moment_before_the_pbx_takes_him_elsewhere_is_taken_away(
    tmp_path: Path,
) -> None:
    async with arrived(tmp_path, QUESTION) as caller:
        assert await answered(caller.node)
        caller.writer.transport.abort()
        await asyncio.sleep(0.02)
        caller.node.control.dialplan_takes(LEG)
        record = await caller.node.until_gone(LEG)
    assert record.variables_set == {}
    assert record.hung_up_with is None
    assert caller.node.log.end is not None
    assert (caller.node.log.end.reason, caller.node.log.end.transferred_to) == (EndReason.TAKEN_AWAY, "")


async def test_caller_whose_connection_ends_while_the_leg_stays_goes_to_the_fallback_queue(tmp_path: Path) -> None:
    async with arrived(tmp_path, QUESTION) as caller:
        assert await answered(caller.node)
        caller.writer.transport.abort()
        record = await caller.node.until_gone(LEG)
    assert record.variables_set["PARLEY_TRANSFER_TO"] == "support"
    assert caller.node.log.end is not None
    assert caller.node.log.end.reason is EndReason.PBX_LOST


async def test_leg_whose_connection_is_over_before_its_call_begins_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with arrived(tmp_path, QUESTION) as caller:
        stale = caller.node.control.caller_arrives(*ARGUMENTS, connection_id="long gone")
        async with asyncio.timeout(5):
            while not caller.node.control.record(stale.id).gone:
                await asyncio.sleep(0.005)
        assert caller.node.control.record(stale.id).variables_set["PARLEY_STATUS"] == "FAILED"
    assert "call cannot be taken up" in caplog.text
