"""From the ticket to the offered leg, over a real AudioSocket port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from audio_fork.audiosocket_server import AudioSocketServer
from audio_fork.errors import NoPeer
from audio_fork.media_engine import MediaEngine
from parley.app.call_results import ParleyStatus
from parley.app.dialplan_arrivals import DialplanArrivals, Refusal
from parley.call_control import AudioCodec, AudioSocketPeer, AudioSocketTarget, LegId, PbxRefused
from tests.contract.benches import until


@dataclass
class Offers:
    """Takes every channel, or none."""

    refuses: bool = False
    taken: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    let_go: Callable[[], None] | None = None
    cut: list[LegId] = field(default_factory=list)

    async def offer(
        self, channel_id: str, connection_id: str, arguments: Sequence[str], let_go: Callable[[], None]
    ) -> LegId:
        self.taken.append((channel_id, connection_id, tuple(arguments)))
        self.let_go = let_go
        if self.refuses:
            raise PbxRefused("not in AudioSocket() with this id")
        return LegId(channel_id)

    async def disconnected(self, leg_id: LegId) -> None:
        self.cut.append(leg_id)


@dataclass
class Site:
    """A node's part of it, with knobs."""

    arrivals: DialplanArrivals
    offers: Offers
    refused: list[str]
    ready: bool = True
    refusal: Refusal | None = None
    ending: bool = False
    """The node's task group takes no more tasks."""
    on_their_way: list[int] = field(default_factory=list)
    connections: list[asyncio.StreamWriter] = field(default_factory=list)

    async def comes(self, ticket: str) -> asyncio.StreamReader:
        """Connect as Asterisk does, with the ticket."""
        identity, _, place = ticket.partition("@")
        host, _, port = place.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x01\x00\x10" + UUID(identity).bytes)
        self.connections.append(writer)
        return reader

    async def was_offered(self, count: int = 1) -> bool:
        async def now() -> bool:
            return len(self.offers.taken) >= count

        return await until(now)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    engine = MediaEngine.open()
    server = AudioSocketServer([engine])
    await server.listen("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        refused: list[str] = []
        offers = Offers()

        def admission(arguments: Sequence[str], on_their_way: int) -> Refusal | None:
            made.on_their_way.append(on_their_way)
            return made.refusal

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            if made.ending:
                raise RuntimeError("TaskGroup is shutting down")
            tasks.create_task(work)

        arrivals = DialplanArrivals(
            offers,
            server,
            ready=lambda: made.ready,
            on_refused=refused.append,
            spawn=spawn,
        )
        arrivals.open(admission)
        made = Site(arrivals, offers, refused)
        yield made
        await server.aclose()
        engine.close()
        for connection in made.connections:
            connection.close()
            with suppress(ConnectionError):
                await connection.wait_closed()


async def is_hung_up(reader: asyncio.StreamReader) -> bool:
    """Read messages until the one that says so."""
    async with asyncio.timeout(2):
        while (header := await reader.readexactly(3))[0] != 0x00:
            await reader.readexactly(int.from_bytes(header[1:]))
    return True


async def test_caller_with_a_ticket_is_offered_and_brings_the_audio(site: Site) -> None:
    ticket = site.arrivals.ticket("1.1", ["agent=reception"])
    await site.comes(ticket)
    assert await site.was_offered()
    connection_id = ticket.partition("@")[0]
    assert site.offers.taken == [("1.1", connection_id, ("agent=reception",))]
    line = site.arrivals.line(connection_id)
    assert isinstance(line.target, AudioSocketTarget)
    assert (line.target.connection_id, line.target.codec) == (connection_id, AudioCodec.SLIN)
    await line.connect(AudioSocketPeer(connection_id, AudioCodec.SLIN))
    assert line.audio.rate_hz == 8000
    with pytest.raises(NoPeer):
        site.arrivals.line(connection_id)
    await line.audio.aclose()


async def test_tickets_cannot_be_guessed_from_one_another_and_serve_once(site: Site) -> None:
    first, second = site.arrivals.ticket("1.1", []), site.arrivals.ticket("1.2", [])
    assert first != second
    await site.comes(first)
    assert await site.was_offered()
    reader = await site.comes(first)
    async with asyncio.timeout(2):
        assert await reader.read() == b""
    assert len(site.offers.taken) == 1


@pytest.mark.parametrize(
    ("ready", "refusal", "told", "why"),
    [
        (False, None, "FAILED:AMI is not connected", "ami"),
        (True, (ParleyStatus.BUSY, "overload", "limits.max_calls = 1 is reached"), "BUSY:limits.max", "overload"),
        (True, (ParleyStatus.FAILED, "arguments", "unknown agent 'x'\r\n" + "y" * 500), "FAILED:unknown", "arguments"),
    ],
)
async def test_call_that_cannot_be_taken_gets_no_ticket_but_a_reason(
    site: Site, ready: bool, refusal: Refusal | None, told: str, why: str
) -> None:
    site.ready, site.refusal = ready, refusal
    answer = site.arrivals.ticket("1.1", [])
    assert answer.startswith(told)
    assert "@" not in answer
    assert "\n" not in answer
    assert len(answer) < 250
    assert site.refused == [why]


async def test_callers_on_their_way_count_until_they_are_offered(site: Site) -> None:
    tickets = [site.arrivals.ticket(f"1.{number}", []) for number in range(3)]
    assert site.on_their_way == [0, 1, 2]
    for number, ticket in enumerate(tickets):
        await site.comes(ticket)
        assert await site.was_offered(number + 1)
    site.arrivals.ticket("1.9", [])
    assert site.on_their_way[-1] == 0


async def test_connection_of_a_channel_that_is_not_the_ticket_s_is_closed(site: Site) -> None:
    site.offers.refuses = True
    ticket = site.arrivals.ticket("1.1", [])
    reader = await site.comes(ticket)
    assert await is_hung_up(reader)
    assert site.refused == ["channel"]
    with pytest.raises(NoPeer):
        site.arrivals.line(ticket.partition("@")[0])


async def test_leg_that_is_let_go_unserved_is_hung_up_and_forgotten(site: Site) -> None:
    ticket = site.arrivals.ticket("1.1", [])
    reader = await site.comes(ticket)
    assert await site.was_offered()
    assert site.offers.let_go is not None
    site.offers.let_go()
    assert await is_hung_up(reader)
    with pytest.raises(NoPeer):
        site.arrivals.line(ticket.partition("@")[0])


async def test_leg_of_a_node_that_is_ending_is_hung_up_all_the_same(site: Site) -> None:
    ticket = site.arrivals.ticket("1.1", [])
    reader = await site.comes(ticket)
    assert await site.was_offered()
    site.ending = True
    assert site.offers.let_go is not None
    site.offers.let_go()
    assert await is_hung_up(reader)


async def test_node_that_is_ending_gives_no_ticket(site: Site) -> None:
    site.ending = True
    assert site.arrivals.ticket("1.1", []) == "FAILED:Parley is stopping"
    assert site.refused == ["stopping"]
    site.ending = False
    site.arrivals.ticket("1.2", [])
    assert site.on_their_way == [0, 0]


async def test_end_of_a_caller_s_connection_is_told_to_whoever_commands_the_leg(site: Site) -> None:
    await site.comes(site.arrivals.ticket("1.1", []))
    assert await site.was_offered()
    assert site.offers.cut == []
    site.connections[0].close()

    async def told() -> bool:
        return site.offers.cut == ["1.1"]

    assert await until(told)


async def test_ticket_that_nobody_uses_leaves_nothing_behind() -> None:
    engine = MediaEngine.open()
    server = AudioSocketServer([engine])
    await server.listen("127.0.0.1", 0)
    offers, refused = Offers(), list[str]()
    async with asyncio.TaskGroup() as tasks:
        arrivals = DialplanArrivals(
            offers,
            server,
            ready=lambda: True,
            on_refused=refused.append,
            spawn=tasks.create_task,
        )
        assert arrivals.ticket("1.1", []) == "FAILED:Parley is still starting"
        arrivals.open(lambda arguments, on_their_way: None)
        arrivals.ticket("1.1", [])
        await server.aclose()
        engine.close()
    assert offers.taken == []
    assert refused == ["starting"]


async def test_caller_for_whom_the_media_engine_has_no_place_goes_on_in_the_dialplan(site: Site) -> None:
    tickets = [site.arrivals.ticket(f"1.{number}", []) for number in range(17)]
    assert all("@" in ticket for ticket in tickets[:-1])
    assert tickets[-1].startswith("BUSY:")
    assert site.refused == ["overload"]
