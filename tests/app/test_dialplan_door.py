"""Where the dialplan asks for tickets: who is answered, and that every answer can be read by a dialplan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from parley.app.dialplan_door import MAX_REQUEST_OCTETS, PATH, DialplanDoor


class Tickets:
    """Gives everybody a ticket, and remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def ticket(self, channel_id: str, arguments: Sequence[str]) -> str:
        self.asked.append((channel_id, list(arguments)))
        return "ticket@127.0.0.1:9092"


class Site:
    """A door on loopback."""

    def __init__(self, door: DialplanDoor, refused: list[str], url: str) -> None:
        self.door = door
        self.refused = refused
        self.tickets = Tickets()
        self.url = url

    async def asks(self, **form: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as http, http.post(self.url, data=form) as answer:
            return answer.status, await answer.text()


@pytest.fixture
def peers() -> tuple[str, ...]:
    return ("127.0.0.1",)


@pytest.fixture
async def site(peers: tuple[str, ...]) -> AsyncIterator[Site]:
    refused: list[str] = []
    door = DialplanDoor(peers, refused.append)
    application = web.Application()
    application.add_routes([door.route])
    async with TestServer(application) as server:
        site = Site(door, refused, str(server.make_url(PATH)))
        door.open(site.tickets)
        yield site


async def test_channel_and_arguments_arrive_as_the_dialplan_wrote_them(site: Site) -> None:
    arguments = "agent=reception,greeting=two words; 50% & more,name=张伟"
    assert await site.asks(channel="1795580736.0", arguments=arguments) == (200, "ticket@127.0.0.1:9092")
    assert site.tickets.asked == [("1795580736.0", ["agent=reception", "greeting=two words; 50% & more", "name=张伟"])]


async def test_call_without_arguments_has_none(site: Site) -> None:
    await site.asks(channel="1.1", arguments="")
    await site.asks(channel="1.1")
    assert site.tickets.asked == [("1.1", []), ("1.1", [])]


@pytest.mark.parametrize("peers", [("192.0.2.1",), ()])
async def test_stranger_gets_nothing_and_is_counted(site: Site) -> None:
    assert await site.asks(channel="1.1", arguments="agent=reception") == (403, "")
    assert site.refused == ["stranger"]
    assert site.tickets.asked == []


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"arguments": "agent=reception"}, "names no channel"),
        ({"channel": "", "arguments": ""}, "names no channel"),
        ({"channel": "1.1", "arguments": "x" * MAX_REQUEST_OCTETS}, "too long"),
    ],
)
async def test_request_that_is_none_fails_with_a_reason(site: Site, form: dict[str, str], why: str) -> None:
    _, text = await site.asks(**form)
    assert text.startswith("FAILED:")
    assert why in text
    assert site.tickets.asked == []
    assert site.refused == ["too_long" if why == "too long" else "no_channel"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded; charset=no-such", b"channel=1.1"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"c"),
        ("multipart/form-data", b"channel=1.1"),
        ("multipart/form-data; boundary=x", b"--x\r\n\xff"),
        ("application/octet-stream", bytes(range(256))),
    ],
)
async def test_garbage_is_no_request_and_harms_nothing(
    site: Site, kind: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.post(site.url, data=body, headers={"Content-Type": kind}) as answer,
    ):
        assert (answer.status, await answer.text()) == (400, "FAILED:the request names no channel")
    assert site.refused == ["no_channel"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("peers", [("192.0.2.1",), ("127.0.0.1",)])
async def test_flood_of_bad_requests_is_counted_whole_and_logged_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        await site.asks(arguments="agent=reception")
    assert len(site.refused) == 50
    assert len(caplog.records) == 1


async def test_door_of_a_node_that_still_starts_says_so() -> None:
    application = web.Application()
    application.add_routes([DialplanDoor(["127.0.0.1"], print).route])
    async with (
        TestServer(application) as server,
        aiohttp.ClientSession() as http,
        http.post(server.make_url(PATH), data={"channel": "1.1"}) as answer,
    ):
        assert await answer.text() == "FAILED:Parley is still starting"
