"""The subroutine `parley-audiosocket` on a real Asterisk, with a desk that answers whatever a test wants."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from ari_app.ami import AmiClient
from tests.contract.benches import until
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.phone_call import PhoneCall
from tests.support.sip_phone import SipPhone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

DIALPLAN = """
[from-trunk](+)
exten => 840,1,Gosub(parley-audiosocket,s,1(agent=reception,greeting=two words\\; 50% & more,name=${CALLERID(name)}))
 same => n,Set(GLOBAL(RESULT)=${PARLEY_STATUS}/${PARLEY_ERROR}/${PARLEY_OUTCOME}/${TIMEOUT(absolute)})
 same => n,Hangup(17)
"""
HOSTILE = 'a"b) ${SHELL(touch /tmp/x)} &arguments=agent@evil'


class Desk:
    """Answers requests for tickets, and listens for AudioSocket connections."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answers: list[str] = []
        """One for each request, the last for all further ones."""
        self.silent = False
        self.url = ""
        self.place = ""
        self.connections: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue(100)
        self.go_on = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append({name: str(value) for name, value in (await request.post()).items()})
        if self.silent:
            await self.go_on.wait()
        return web.Response(text=self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(19)
        await self.connections.put(writer)
        try:
            while await reader.read(4096):
                pass
        finally:
            writer.close()

    def ticket(self) -> str:
        return f"{uuid4()}@{self.place}"


@asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    desk = Desk()
    application = web.Application()
    application.add_routes([web.post("/audiosocket", desk.handle)])
    server = await asyncio.start_server(desk.connected, "127.0.0.1", 0)
    async with TestServer(application) as http:
        desk.url = str(http.make_url("/audiosocket"))
        desk.place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield desk
        desk.go_on.set()
    server.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    additions = {"extensions.conf": DIALPLAN, "manager.conf": "[parley](+)\nwrite = call\n"}
    async with Asterisk(program=require_asterisk(), additions=additions, life_s=120) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def phone(pbx: Asterisk) -> AsyncIterator[SipPhone]:
    async with SipPhone("+15551234", server=(pbx.sip_host, pbx.sip_port)) as phone:
        yield phone
        await phone.hang_up_all()
        await pbx.wait_until_idle()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(pbx: Asterisk) -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        await pbx.cli(f"dialplan set global PARLEY_AUDIOSOCKET {desk.url}")
        await pbx.cli("dialplan set global RESULT nothing")
        yield desk


@asynccontextmanager
async def commanding(pbx: Asterisk, desk: Desk) -> AsyncIterator[AmiClient]:
    ami = AmiClient("127.0.0.1", pbx.ami_port, pbx.ami_username, pbx.ami_password)
    await ami.connect()
    try:
        yield ami
    finally:
        await ami.aclose()


async def set_on(ami: AmiClient, desk: Desk, name: str, value: str) -> None:
    await ami.request("Setvar", {"Channel": desk.asked[-1]["channel"], "Variable": name, "Value": value})


async def result(pbx: Asterisk, call: PhoneCall, within_s: float = 5.0) -> str:
    """Wait for the call's end, and return what the dialplan has found."""
    await call.wait_ended(within_s)

    async def told() -> str:
        shown = await pbx.cli("dialplan show globals")
        return next(line.strip().partition("=")[2] for line in shown.splitlines() if "RESULT=" in line)

    async def is_told() -> bool:
        return await told() != "nothing"

    assert await until(is_told)
    return await told()


async def test_desk_gets_channel_and_arguments_however_hostile_the_caller_s_name(
    pbx: Asterisk, phone: SipPhone, desk: Desk
) -> None:
    desk.answers = ["FAILED:no"]
    before = len(pbx.complaints())
    assert await result(pbx, phone.dial("840", name=HOSTILE)) == "FAILED/no//0"
    [asked] = desk.asked
    assert set(asked) == {"channel", "arguments"}
    assert asked["arguments"].startswith("agent=reception,greeting=two words; 50% & more,name=a")
    assert "&arguments=agent@evil" in asked["arguments"]
    assert pbx.complaints()[before:] == []


async def test_result_is_what_was_set_before_the_connection_was_closed(
    pbx: Asterisk, phone: SipPhone, desk: Desk
) -> None:
    desk.answers = [desk.ticket()]
    call = phone.dial("840")
    async with commanding(pbx, desk) as ami:
        connection = await asyncio.wait_for(desk.connections.get(), 5)
        await call.wait_answered()
        await set_on(ami, desk, "TIMEOUT(absolute)", "60")
        await set_on(ami, desk, "PARLEY_STATUS", "SERVED")
        await set_on(ami, desk, "PARLEY_OUTCOME", "booked")
        connection.write(b"\x00\x00\x00")
        assert await result(pbx, call) == "SERVED//booked/0"


async def test_connection_that_ends_without_a_word_is_a_failure(pbx: Asterisk, phone: SipPhone, desk: Desk) -> None:
    desk.answers = [desk.ticket()]
    call = phone.dial("840")
    (await asyncio.wait_for(desk.connections.get(), 5)).transport.abort()
    assert await result(pbx, call) == "FAILED///0"


async def test_node_that_changes_its_mind_passes_the_caller_to_the_next(
    pbx: Asterisk, phone: SipPhone, desk: Desk
) -> None:
    async with open_desk() as second, commanding(pbx, desk) as ami:
        await pbx.cli(f"dialplan set global PARLEY_AUDIOSOCKET {desk.url}&{second.url}")
        desk.answers, second.answers = [desk.ticket()], ["BUSY:full"]
        call = phone.dial("840")
        connection = await asyncio.wait_for(desk.connections.get(), 5)
        await set_on(ami, desk, "PARLEY_STATUS", "BUSY")
        connection.write(b"\x00\x00\x00")
        assert await result(pbx, call) == "BUSY/full//0"
        assert len(second.asked) == 1


async def test_busy_node_and_absent_node_are_passed_over(pbx: Asterisk, phone: SipPhone, desk: Desk) -> None:
    async with open_desk() as busy:
        nodes = f"http://127.0.0.1:9/audiosocket&{busy.url}&{desk.url}"
        await pbx.cli(f"dialplan set global PARLEY_AUDIOSOCKET {nodes}")
        busy.answers, desk.answers = ["BUSY:full"], [desk.ticket()]
        call = phone.dial("840")
        (await asyncio.wait_for(desk.connections.get(), 5)).write(b"\x00\x00\x00")
        assert await result(pbx, call) == "FAILED///0"
        assert len(busy.asked) == 1


async def test_both_nodes_of_an_upgrade_are_asked_where_the_site_names_none(
    pbx: Asterisk, phone: SipPhone, desk: Desk
) -> None:
    for port in (8089, 8090):
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"somebody serves at port {port} of this machine")
    await pbx.cli('dialplan set global PARLEY_AUDIOSOCKET ""')
    before = len(pbx.log())
    call = phone.dial("840")
    await call.wait_ended(10.0)
    asked = re.findall(r'"LOCAL\(node\)=([^"]+)"', "\n".join(pbx.log()[before:]))
    assert asked == [
        "http://127.0.0.1:8089/audiosocket",
        "http://127.0.0.1:8090/audiosocket",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "<html><body>@ It works!</body></html>",
        "x@y",
        "1ada6043-f88d-42e0-99ed-bc289cf51513@",
        "zzzzzzzz-f88d-42e0-99ed-bc289cf51513@127.0.0.1:9",
        "A" * 20_000,
    ],
)
async def test_answer_that_is_no_ticket_counts_as_absent(
    pbx: Asterisk, phone: SipPhone, desk: Desk, answer: str
) -> None:
    desk.answers = [answer]
    call = phone.dial("840")
    assert (await result(pbx, call)).startswith("FAILED/")
    assert not call.is_answered


async def test_ticket_for_a_port_where_nobody_listens_is_a_failure(pbx: Asterisk, phone: SipPhone, desk: Desk) -> None:
    desk.answers = [f"{uuid4()}@127.0.0.1:9"]
    assert await result(pbx, phone.dial("840")) == "FAILED///0"


async def test_desk_that_does_not_answer_counts_as_absent_after_three_seconds(
    pbx: Asterisk, phone: SipPhone, desk: Desk
) -> None:
    desk.silent, desk.answers = True, ["late"]
    call = phone.dial("840")
    assert await result(pbx, call, 5.0) == "FAILED///0"


async def test_dead_man_timer_takes_the_caller_out_of_a_connection_that_lives(
    pbx: Asterisk, phone: SipPhone, desk: Desk
) -> None:
    desk.answers = [desk.ticket()]
    call = phone.dial("840")
    async with commanding(pbx, desk) as ami:
        await asyncio.wait_for(desk.connections.get(), 5)
        await set_on(ami, desk, "TIMEOUT(absolute)", "1")
        assert await result(pbx, call, 3.0) == "FAILED///0"


async def test_node_that_never_takes_charge_counts_as_absent_in_time(
    pbx: Asterisk, phone: SipPhone, desk: Desk
) -> None:
    await pbx.cli("dialplan set global PARLEY_TAKE_WITHIN 1")
    try:
        desk.answers = [desk.ticket()]
        assert await result(pbx, phone.dial("840"), 4.0) == "FAILED///0"
    finally:
        await pbx.cli("dialplan set global PARLEY_TAKE_WITHIN 10")
