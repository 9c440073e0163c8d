"""The AMI client against a scripted Asterisk. Each fault that panoramisk has by itself is tried here."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator, Callable

import pytest

from ari_app.ami import AmiClient, AmiEvent
from ari_app.ami.connection import AmiConnection
from ari_app.ami.errors import AmiRefused, refusal
from ari_app.backoff import Backoff
from parley.call_control import InvalidRequest, PbxRefused, PbxUnavailable
from tests.ari_app.ami_server import SECRET, USERNAME, AmiServer, ami_server
from tests.ari_app.captured import captured_refusals
from tests.contract.benches import until

Make = Callable[..., AmiClient]


@pytest.fixture
async def ami() -> AsyncIterator[AmiServer]:
    async with ami_server() as server:
        yield server


@pytest.fixture
async def make(ami: AmiServer) -> AsyncIterator[Make]:
    """Make clients that reconnect at once; all are closed at the end."""
    made: list[AmiClient] = []

    def client(
        *, password: str = SECRET, deadline_s: float = 2.0, ping_s: float = 60.0, wait_s: float = 0.001
    ) -> AmiClient:
        waits = Backoff(first_s=wait_s, cap_s=wait_s)
        made.append(
            AmiClient(
                "127.0.0.1",
                ami.port,
                USERNAME,
                password,
                deadline_s=deadline_s,
                ping_s=ping_s,
                refused_wait_s=wait_s,
                backoff=waits,
            )
        )
        return made[-1]

    yield client
    for each in made:
        await each.aclose()


@pytest.fixture
async def client(make: Make) -> AmiClient:
    connected = make()
    await connected.connect()
    return connected


async def is_connected(client: AmiClient, wanted: bool = True) -> bool:
    async def now() -> bool:
        return client.connected is wanted

    return await until(now)


# --- logging in ---------------------------------------------------------------------------------------------


async def test_client_is_connected_once_asterisk_has_accepted_the_login(ami: AmiServer, make: Make) -> None:
    client = make()
    assert not client.connected
    await client.connect()
    assert client.connected
    assert f"Username: {USERNAME}" in ami.asked("Login")[0]


async def test_wrong_password_names_the_section_of_manager_conf_and_never_the_password(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = make(password="a-guess-of-mine")
    with pytest.raises(PbxRefused, match=r"\[parley\] of manager\.conf") as refused:
        await client.connect()
    assert not client.connected
    shown = [str(refused.value), repr(refused.value), repr(client), caplog.text]
    assert not any("a-guess-of-mine" in text for text in shown)


async def test_port_where_nothing_listens_is_told_with_what_to_switch_on(ami: AmiServer, make: Make) -> None:
    client = make()
    await ami.stop()
    with pytest.raises(PbxUnavailable, match=r"nothing listens at .*manager\.conf"):
        await client.connect()


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"A" * 1000, b"Asterisk Call Manager/" + b"1" * 1000])
async def test_password_goes_to_nobody_who_does_not_greet_as_asterisk(
    ami: AmiServer, make: Make, banner: bytes
) -> None:
    ami.banner = banner
    with pytest.raises(PbxRefused, match="is not AMI"):
        await make().connect()
    assert ami.actions == []


async def test_peer_that_does_not_greet_is_given_up_at_the_deadline(ami: AmiServer, make: Make) -> None:
    ami.banner = b""
    with pytest.raises(PbxUnavailable, match=r"did not answer within 0\.01 s"):
        await make(deadline_s=0.01).connect()


async def test_listening_is_refused_once_a_connection_has_begun(client: AmiClient) -> None:
    with pytest.raises(InvalidRequest):
        client.listen(["Hangup"], lambda _: None)


async def test_request_before_the_connection_is_unavailable(make: Make) -> None:
    with pytest.raises(PbxUnavailable, match="not connected"):
        await make().request("Ping")


# --- what is sent -------------------------------------------------------------------------------------------


async def test_line_ends_in_a_value_begin_no_further_header(ami: AmiServer, client: AmiClient) -> None:
    await client.request("Setvar", {"Variable": "NAME", "Value": "Bob\r\nApplication: System\0\r\n\r\nAction: Command"})
    [lines] = ami.asked("Setvar")
    assert "Value: Bob Application: System Action: Command" in lines
    assert len(lines) == 4
    assert ami.asked("Command") == []


@pytest.mark.parametrize("key", ["Value\r\nAction", "Value: x\nAction", "", "Two words", "Name\0"])
async def test_key_that_is_none_is_an_error_of_ours(ami: AmiServer, client: AmiClient, key: str) -> None:
    with pytest.raises(InvalidRequest):
        await client.request("Setvar", {key: "x"})
    assert ami.asked("Setvar") == []


async def test_line_longer_than_asterisk_reads_is_an_error_of_ours(ami: AmiServer, client: AmiClient) -> None:
    with pytest.raises(InvalidRequest, match="longer than 1000 octets"):
        await client.request("Setvar", {"Value": "ä" * 500})
    assert ami.asked("Setvar") == []


async def test_originate_is_always_asynchronous_and_brings_its_outcome(ami: AmiServer, client: AmiClient) -> None:
    ami.answer(
        "Originate",
        "Response: Success\nActionID: {id}\nMessage: Originate successfully queued",
        "Event: OriginateResponse\nActionID: {id}\nResponse: Failure\nReason: 5",
    )
    answer = await client.request("Originate", {"Channel": "Local/100@default", "Async": "false"})
    assert "Async: true" in ami.asked("Originate")[0]
    assert [message.get("Reason") for message in answer] == [None, "5"]


async def test_every_action_has_an_id_of_its_own(ami: AmiServer, client: AmiClient) -> None:
    await client.request("Ping", {"ActionID": "of somebody else"})
    await client.request("Ping")
    ids = {line for lines in ami.asked("Ping") for line in lines if line.startswith("ActionID: parley-")}
    assert len(ids) == 2


# --- what comes back ----------------------------------------------------------------------------------------


async def test_list_comes_whole_whatever_happens_in_between(ami: AmiServer, client: AmiClient) -> None:
    ami.answer(
        "QueueStatus",
        "Response: Success\nActionID: {id}\nEventList: start\nMessage: Queue status will follow",
        "Event: QueueParams\nActionID: {id}\nQueue: support",
        "Event: Hangup\nUniqueid: 1",
        "Event: QueueStatusComplete\nActionID: {id}\nEventList: Complete",
    )
    answer = await client.request("QueueStatus")
    assert [message.get("Event") for message in answer] == [None, "QueueParams", "QueueStatusComplete"]


async def test_refused_action_brings_asterisk_s_own_words(ami: AmiServer, client: AmiClient) -> None:
    ami.answer("Hangup", "Response: Error\nActionID: {id}\nMessage: No such channel")
    with pytest.raises(AmiRefused, match="No such channel") as refused:
        await client.request("Hangup", {"Channel": "PJSIP/caller-1"})
    assert refused.value.no_such_channel


@pytest.mark.parametrize(("action", "reason"), captured_refusals("no_such_channel"))
def test_absent_channel_is_recognised_in_the_words_of_every_action(action: str, reason: str) -> None:
    assert refusal(action, reason, USERNAME).no_such_channel


@pytest.mark.parametrize(
    "reason",
    [
        "Permission denied",
        "No channel specified",
        "Extension does not exist.",
        "Redirect failed, channel not up.",
        "Channel not specified",
        "No such extension",
    ],
)
def test_other_refusals_are_not_taken_for_an_absent_channel(reason: str) -> None:
    assert not refusal("Redirect", reason, USERNAME).no_such_channel


async def test_action_without_the_right_names_the_line_of_manager_conf(ami: AmiServer, client: AmiClient) -> None:
    ami.answer("Hangup", "Response: Error\nActionID: {id}\nMessage: Permission denied")
    with pytest.raises(PbxRefused, match=r"\[parley\] of manager\.conf the class in `write`"):
        await client.request("Hangup")


async def test_event_arrives_with_its_headers_also_between_two_answers(ami: AmiServer, make: Make) -> None:
    heard: list[AmiEvent] = []
    client = make()
    client.listen(["QueueCallerJoin"], heard.append)
    await client.connect()
    ami.event("QueueCallerJoin", Queue="support", Position="1")
    ami.event("Newchannel", Uniqueid="2")
    await client.request("Ping")
    [event] = heard
    assert (event.name, event.get("Queue"), event.get("Count")) == ("QueueCallerJoin", "support", "")


async def test_character_cut_in_two_by_the_network_arrives_whole(ami: AmiServer, make: Make) -> None:
    heard: list[AmiEvent] = []
    client = make()
    client.listen(["*"], heard.append)
    await client.connect()
    octets = b"Event: Hangup\r\n\r\n" + "Event: QueueCallerJoin\r\nCallerIDName: 张伟\r\n\r\n".encode()
    inside = octets.index("伟".encode()) + 1
    ami.send(octets[:inside])

    async def has_come() -> bool:
        return bool(heard)

    assert await until(has_come)
    ami.send(octets[inside:])
    await client.request("Ping")
    assert [event.get("CallerIDName") for event in heard] == ["", "张伟"]


async def test_header_repeated_by_somebody_else_does_not_win_over_asterisk_s(ami: AmiServer, make: Make) -> None:
    heard: list[AmiEvent] = []
    client = make()
    client.listen(["*"], heard.append)
    await client.connect()
    ami.send(b"Event: Hangup\r\nUniqueid: 1\r\nEvent: QueueCallerJoin\r\nUniqueid: 2\r\n\r\n")
    await client.request("Ping")
    assert [(event.name, event.get("Uniqueid")) for event in heard] == [("Hangup", "1")]


@pytest.mark.parametrize("endless", [b"A" * 70_000, b"Event: X\r\n" * 7_000])
async def test_peer_that_sends_a_message_without_end_is_left(ami: AmiServer, client: AmiClient, endless: bytes) -> None:
    running = asyncio.create_task(client.run())
    assert await ami.was_asked("Login", 2)
    ami.send(endless)
    assert await ami.was_asked("Login", 3)
    await client.aclose()
    await running


async def test_nonsense_between_messages_does_no_harm(ami: AmiServer, client: AmiClient) -> None:
    ami.send(b"\xff\xfe: \xff\r\n\r\n\r\n\r\nResponse: Success\r\nActionID: nobody's\r\n\r\nno colon\r\n\r\n")
    assert await client.request("Ping")


# --- time and the connection's end --------------------------------------------------------------------------


async def test_action_without_an_answer_ends_at_its_deadline(ami: AmiServer, make: Make) -> None:
    client = make()
    await client.connect()
    ami.never_answer("Hangup")
    with pytest.raises(PbxUnavailable, match=r"Hangup in 0\.01 s"):
        await client.request("Hangup", deadline_s=0.01)
    assert client.connected


async def test_actions_without_answers_leave_nothing_behind(ami: AmiServer, make: Make) -> None:
    client = make()
    await client.connect()
    ami.never_answer("Ping")
    for _ in range(20):
        with pytest.raises(PbxUnavailable):
            await client.request("Ping", deadline_s=0.001)
    cancelled = asyncio.create_task(client.request("Ping"))
    assert await ami.was_asked("Ping", 21)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert waiting_actions(client) == 0


def waiting_actions(client: AmiClient) -> int:
    """Return how many answers are still awaited: a table that grew would show only after days."""
    [connection] = [found for found in gc.get_objects() if isinstance(found, AmiConnection) and found.authenticated]
    assert client.connected
    assert connection.protocol is not None
    return len(connection.protocol.responses)


async def test_dead_peer_is_noticed_by_its_missing_pong_and_left(ami: AmiServer, make: Make) -> None:
    client = make(ping_s=0.001, deadline_s=0.05)
    running = asyncio.create_task(client.run())
    assert await is_connected(client)
    ami.silent = True
    assert await is_connected(client, False)
    ami.silent = False
    assert await is_connected(client)
    assert ami.connections >= 2
    await client.aclose()
    await running


async def test_action_under_way_fails_with_the_connection_and_is_never_sent_again(ami: AmiServer, make: Make) -> None:
    client = make()
    running = asyncio.create_task(client.run())
    assert await is_connected(client)
    ami.never_answer("Originate")
    calling = asyncio.create_task(client.request("Originate", {"Channel": "PJSIP/agent1"}))
    assert await ami.was_asked("Originate")
    ami.drop()
    with pytest.raises(PbxUnavailable, match="ended before Asterisk answered"):
        await calling
    assert await ami.was_asked("Login", 2)
    assert await is_connected(client)
    ami.event("FullyBooted", Status="Fully Booted")
    await client.request("Ping")
    assert len(ami.asked("Originate")) == 1
    await client.aclose()
    await running


async def test_action_asked_for_while_disconnected_fails_at_once_and_is_never_sent(ami: AmiServer, make: Make) -> None:
    client = make()
    running = asyncio.create_task(client.run())
    assert await is_connected(client)
    await ami.stop()
    assert await is_connected(client, False)
    with pytest.raises(PbxUnavailable):
        await client.request("Hangup")
    await ami.listen()
    assert await is_connected(client)
    await client.request("Ping")
    assert ami.asked("Hangup") == []
    await client.aclose()
    await running


async def test_close_while_waiting_for_the_next_attempt_ends_all_attempts(ami: AmiServer, make: Make) -> None:
    client = make(wait_s=3600.0)
    running = asyncio.create_task(client.run())
    assert await is_connected(client)
    await ami.stop()
    assert await is_connected(client, False)
    await client.aclose()
    async with asyncio.timeout(1):
        await running
    with pytest.raises(PbxUnavailable, match="closed"):
        await client.connect()


async def test_close_breaks_off_an_attempt_under_way(ami: AmiServer, make: Make) -> None:
    client = make()
    ami.never_answer("Login")
    running = asyncio.create_task(client.run())
    assert await ami.was_asked("Login")
    await client.aclose()
    running.cancel()
    await asyncio.wait([running])
    assert not client.connected


async def test_nothing_of_an_old_connection_stays_in_memory(ami: AmiServer, make: Make) -> None:
    client = make()
    running = asyncio.create_task(client.run())
    assert await is_connected(client)
    gc.collect()
    old = [weakref.ref(found) for found in gc.get_objects() if isinstance(found, AmiConnection)]
    ami.drop()
    assert await ami.was_asked("Login", 2)
    assert await is_connected(client)

    async def forgotten() -> bool:
        gc.collect()
        return all(reference() is None for reference in old)

    assert await until(forgotten)
    await client.aclose()
    await running


async def test_shutdown_of_asterisk_ends_the_connection(ami: AmiServer, make: Make) -> None:
    client = make()
    running = asyncio.create_task(client.run())
    assert await is_connected(client)
    ami.event("Shutdown", Shutdown="Cleanly", Restart="False")
    assert await ami.was_asked("Login", 2)
    await client.aclose()
    await running


async def test_watcher_is_told_when_the_connection_stands_and_when_it_does_not(ami: AmiServer, make: Make) -> None:
    told: list[bool] = []
    client = make()
    client.watch(told.append)
    running = asyncio.create_task(client.run())
    assert await is_connected(client)
    ami.drop()
    assert await ami.was_asked("Login", 2)
    assert await is_connected(client)
    await client.aclose()
    await running
    assert told == [True, False, True, False]


async def test_trouble_is_logged_once_however_often_it_is_met(
    ami: AmiServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    client = make(password="wrong")
    running = asyncio.create_task(client.run())
    assert await ami.was_asked("Login", 5)
    await client.aclose()
    await running
    assert [line.message for line in caplog.records] == ["no AMI; calls go on without it"]
