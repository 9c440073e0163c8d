"""The adapter's connection: logging in, losing it, finding it again, and secrets that stay secret."""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise

import pytest

from ari_app import AriCallControl, AriNotLoaded, AriRest, call_control
from ari_app.connection import MOST_EVENTS_AT_ONCE
from ari_app.event_queue import EventQueue
from parley.call_control import (
    ControlTaken,
    DialplanTarget,
    HangupCause,
    InvalidRequest,
    LegAnswered,
    LegEnded,
    LegId,
    LegLeft,
    LegOffered,
    PbxConnected,
    PbxLost,
    PbxRefused,
    PbxUnavailable,
    RtpTarget,
)
from tests.ari_app.ari_server import PASSWORD, AriServer, channel
from tests.ari_app.captured import captured_messages
from tests.ari_app.conftest import Connect, asked, recorded
from tests.contract.benches import EventLog, deaf, until

NOT_ARI = "<html><title>404 Not Found</title></html>"


async def test_start_tells_the_version(ari: AriServer, log: EventLog) -> None:
    assert (await log.next(PbxConnected)).version == ari.version


async def test_wrong_password_names_the_section_and_never_the_password(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    control = connect(password="a-guess-of-mine")
    with pytest.raises(PbxRefused, match=r"\[parley\] of ari\.conf") as refused:
        await control.start()
    shown = [str(refused.value), repr(refused.value), repr(control), caplog.text]
    assert not any("a-guess-of-mine" in text for text in shown)


async def test_start_can_be_tried_again(ari: AriServer, connect: Connect) -> None:
    control = connect()
    ari.reply("GET /asterisk/info", 503)
    with pytest.raises(PbxUnavailable, match="starting"):
        await control.start()
    ari.reply("GET /asterisk/info", 200, {"system": {"version": "22.10.1"}})
    await control.start()
    assert await control.legs() == []


@pytest.mark.parametrize(
    ("status", "answer", "error", "hint"),
    [
        (404, NOT_ARI, AriNotLoaded, r"res_ari\.so"),
        (404, {"message": "Resource not found"}, AriNotLoaded, r"res_ari_\*\.so"),
        (403, {"message": "Forbidden"}, PbxRefused, "read_only = no"),
        (200, NOT_ARI, PbxRefused, "does not speak ARI"),
        (200, {"other": 1}, PbxRefused, "as ARI does"),
        (200, [], PbxRefused, "as ARI does"),
        (302, "", PbxRefused, "does not speak ARI"),
        (502, "", PbxRefused, "HTTP 502"),
    ],
)
async def test_other_side_that_is_no_usable_ari_is_named(
    ari: AriServer, connect: Connect, status: int, answer: object, error: type[Exception], hint: str
) -> None:
    ari.reply("GET /asterisk/info", status, answer)
    with pytest.raises(error, match=hint):
        await connect().start()


async def test_part_of_ari_that_is_not_loaded_yet_can_be_waited_for(ari: AriServer, connect: Connect) -> None:
    control = connect()
    ari.reply("GET /bridges", 404, {"message": "Resource not found"})
    with pytest.raises(PbxUnavailable, match="still starting") as unavailable:
        await control.start()
    assert unavailable.value.retryable
    ari.reply("GET /bridges", 200, [])
    await control.start()


async def test_nobody_there_names_http_conf() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    control = AriCallControl(f"http://127.0.0.1:{port}/ari", "parley", PASSWORD)
    with pytest.raises(PbxUnavailable, match=r"http\.conf set enabled = yes"):
        await control.start()
    await control.aclose()


async def test_silent_server_is_given_up_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/ari"
        control = AriCallControl(url, "parley", PASSWORD, deadline_s=0.05)
        with pytest.raises(PbxUnavailable, match=r"within 0\.05 s"):
            await control.start()
        await control.aclose()


async def test_server_that_speaks_no_tls_is_named(ari: AriServer) -> None:
    control = AriCallControl(ari.url.replace("http:", "https:"), "parley", PASSWORD)
    with pytest.raises(PbxUnavailable, match="TLS"):
        await control.start()
    await control.aclose()


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8088", "ftp://h/ari", "http:///ari", "http://h/ari?x=1", "http://a:b@h/ari"]
)
def test_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        AriRest(url, "parley", PASSWORD)
    assert "a:b" not in str(refused.value)


async def test_lost_connection_is_told_and_found_again(ari: AriServer, log: EventLog) -> None:
    await log.next(PbxConnected)
    await ari.sockets[-1].close()
    assert "closed the connection" in (await log.next(PbxLost)).reason
    await log.next(PbxConnected)
    await ari.offer("1.1")
    assert (await log.next(LegOffered)).leg.id == "1.1"


async def test_leg_that_left_and_came_back_during_the_outage_leaves_before_it_is_offered_again(
    ari: AriServer, control: AriCallControl, log: EventLog
) -> None:
    await ari.offer("1.1")
    await log.next(LegOffered)
    await ari.sockets[-1].close()
    await log.next(PbxLost)
    await log.next(PbxConnected)
    await ari.offer("1.1", state="Up")
    assert (await log.next(LegOffered)).leg.id == "1.1"
    told = log.about(LegId("1.1"), [LegOffered, LegLeft, LegEnded])
    assert [type(event) for event in told] == [LegOffered, LegLeft, LegOffered]


async def test_reconnecting_goes_on_after_failures(ari: AriServer, log: EventLog) -> None:
    await log.next(PbxConnected)
    ari.reply("GET /asterisk/info", 503)
    await ari.sockets[-1].close()
    await log.next(PbxLost)

    async def tried_again() -> bool:
        return len(ari.asked("GET /asterisk/info")) >= 4

    assert await until(tried_again)
    ari.reply("GET /asterisk/info", 200, {"system": {"version": "22.11.0"}})
    assert (await log.next(PbxConnected)).version == "22.11.0"


async def test_password_that_is_changed_under_an_open_connection_loses_it_until_it_is_right_again(
    ari: AriServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    control = connect(login_check_s=0.01)
    await control.start()
    async with recorded(control) as log:
        await log.next(PbxConnected)
        ari.password = "another"
        assert "[parley] of ari.conf" in (await log.next(PbxLost)).reason
        assert ari.sockets[-1].closed, "callers would go on coming to a node that can command none of them"
        ari.password = PASSWORD
        await log.next(PbxConnected)
        await ari.sockets[-1].close()
        assert "closed the connection" in (await log.next(PbxLost)).reason
        await log.next(PbxConnected)
    told = [record for record in caplog.records if "refuses the ARI user" in str(vars(record).get("reason"))]
    assert len(told) == 1
    assert told[0].levelno == logging.ERROR


async def test_command_that_is_refused_for_the_password_ends_the_connection_at_once(
    ari: AriServer, control: AriCallControl, log: EventLog
) -> None:
    await ari.offer("1.1")
    await log.next(LegOffered)
    ari.password = "another"
    with pytest.raises(PbxRefused, match=r"ari\.conf"):
        await control.answer(LegId("1.1"))
    assert "ari.conf" in (await log.next(PbxLost)).reason


async def test_why_asterisk_cannot_be_reached_is_told_once_for_each_reason(
    ari: AriServer, log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    await log.next(PbxConnected)
    ari.reply("GET /asterisk/info", 503)
    await ari.sockets[-1].close()
    assert "closed the connection" in (await log.next(PbxLost)).reason
    assert "overloaded" in (await log.next(PbxLost)).reason
    assert await asked(ari, "GET /asterisk/info", count=5)
    ari.password = "another"
    assert "ari.conf" in (await log.next(PbxLost)).reason
    ari.password = PASSWORD
    ari.reply("GET /asterisk/info", 200, {"system": {"version": "22.11.0"}})
    await log.next(PbxConnected)
    assert [record.message for record in caplog.records].count("Asterisk is not reachable") == 2


async def test_what_happened_meanwhile_is_told_after_reconnecting(ari: AriServer, log: EventLog) -> None:
    for leg_id in ("1.1", "1.2", "1.3"):
        await ari.offer(leg_id)
        await log.next(LegOffered)
    del ari.channels["1.1"]
    ari.channels["1.2"] = channel("1.2", "Up")
    await ari.sockets[-1].close()
    await log.next(PbxLost)
    assert await log.next(LegEnded) == LegEnded(LegId("1.1"), HangupCause.UNKNOWN)
    assert (await log.next(LegAnswered)).leg.id == "1.2"
    await log.next(PbxConnected)
    assert not log.about(LegId("1.3"), [LegEnded, LegAnswered])


async def test_replaced_application_is_an_error_and_is_not_fought_over(
    ari: AriServer, control: AriCallControl, log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    await log.next(PbxConnected)
    await ari.send(*captured_messages("application_replaced"))
    assert "another client" in (await log.next(ControlTaken)).reason
    assert "another client" in (await log.next(PbxLost)).reason
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "asterisk.application" in record.message
    for _ in range(10):
        await control.legs()
    assert len(ari.sockets) == 1, "reconnected at once: both clients would take the name from each other for ever"


async def test_replaced_application_is_taken_back_after_a_while(ari: AriServer, connect: Connect) -> None:
    control = connect(retake_s=0.01)
    await control.start()
    await ari.send(*captured_messages("application_replaced"))

    async def taken_back() -> bool:
        return len(ari.sockets) == 2

    assert await until(taken_back)


async def test_timers_of_legs_that_somebody_else_is_told_about_are_renewed_no_more(
    ari: AriServer, connect: Connect
) -> None:
    control = connect(dead_man_s=0.15)
    await control.start()
    await ari.offer("1.1", state="Up")
    assert await asked(ari, "POST /channels/1.1/variable", count=2)
    await ari.send(*captured_messages("application_replaced"))
    log = EventLog(control)
    async with asyncio.TaskGroup() as group:
        collecting = group.create_task(log.run())
        await log.next(ControlTaken)
        collecting.cancel()
    renewed = len(ari.asked("POST /channels/1.1/variable"))
    for _ in range(100):
        await control.legs()
    # One may have been under way.
    assert len(ari.asked("POST /channels/1.1/variable")) <= renewed + 1


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (lambda control: control.continue_in_dialplan(LegId("1.1"), {}), LegLeft(LegId("1.1"))),
        (lambda control: control.transfer(LegId("1.1"), DialplanTarget("queues", "support")), LegLeft(LegId("1.1"))),
        (
            lambda control: control.hangup(LegId("1.1"), HangupCause.USER_BUSY),
            LegEnded(LegId("1.1"), HangupCause.USER_BUSY),
        ),
    ],
)
async def test_leg_that_we_send_away_without_being_told_its_end_is_gone_with_its_audio(
    ari: AriServer,
    control: AriCallControl,
    log: EventLog,
    command: Callable[[AriCallControl], Awaitable[None]],
    told: LegEnded | LegLeft,
) -> None:
    await ari.offer("1.1", state="Up")
    await log.next(LegOffered)
    await control.attach_audio(LegId("1.1"), RtpTarget("127.0.0.1", 4000), deaf)
    await ari.send(*captured_messages("application_replaced"))
    await log.next(ControlTaken)
    await command(control)
    assert await log.next(type(told)) == told
    assert await asked(ari, r"DELETE /channels/parley-media\..*")
    assert await asked(ari, r"DELETE /bridges/parley-bridge\..*")


async def test_unreadable_messages_are_skipped(ari: AriServer, log: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    await log.next(PbxConnected)
    await ari.send("{", '{"type": "StasisStart"}', "[]", "[" * 100_000)
    await ari.sockets[-1].send_bytes(b"\x00")
    await ari.offer("1.1")
    assert (await log.next(LegOffered)).leg.id == "1.1"
    assert [record.message for record in caplog.records].count("unreadable ARI event skipped") == 1


NOISE = json.dumps({"type": "ChannelVarset", "variable": "X", "value": "y" * 500, "channel": channel("9.9")})
STRANGERS_KEY = json.dumps({"type": "ChannelDtmfReceived", "digit": "1", "duration_ms": 80, "channel": channel("9.9")})


@pytest.mark.parametrize("message", [NOISE, STRANGERS_KEY, "{"], ids=["of no use", "about nobody", "unreadable"])
async def test_burst_of_events_gives_everybody_else_turns_and_holds_nothing_up(
    ari: AriServer, control: AriCallControl, log: EventLog, message: str
) -> None:
    await log.next(PbxConnected)
    counts = [0]

    async def take_turns() -> None:
        while True:
            counts.append(control.event_counts().received)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        others = group.create_task(take_turns())
        for _ in range(20_000):
            await ari.send(message)
        await ari.offer("1.1")
        assert (await log.next(LegOffered)).leg.id == "1.1"
        others.cancel()
    assert control.event_counts().received == 20_001
    assert max(later - before for before, later in pairwise(counts)) <= MOST_EVENTS_AT_ONCE
    assert len(log.seen) == 2


async def test_events_of_every_size_are_survived(ari: AriServer, log: EventLog) -> None:
    await log.next(PbxConnected)
    await ari.send({"type": "ChannelVarset", "value": "y" * 1_000_000})
    await ari.send({"type": "StasisStart", "args": ["y" * 1_000_000], "channel": channel("1.1")})
    assert len((await log.next(LegOffered)).leg.arguments[0]) == 1_000_000
    # More than the WebSocket takes: the connection ends, and another one is made.
    with suppress(ConnectionError):
        await ari.send({"type": "ChannelVarset", "value": "y" * 5_000_000})
    await log.next(PbxLost)
    await log.next(PbxConnected)


async def test_caller_whose_offer_is_lost_in_a_flood_is_left_to_extension_t(
    ari: AriServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_control, "EventQueue", lambda: EventQueue(maxsize=1))
    control = connect(dead_man_s=0.3)
    await control.start()
    await ari.offer("1.1")
    assert await asked(ari, "POST /channels/1.1/variable")
    await ari.offer("1.2")
    assert await asked(ari, "POST /channels/1.2/variable")
    for _ in range(100):
        await control.legs()
    assert len(ari.asked("POST /channels/1.2/variable")) == 1, "the timer is renewed: the caller would ring for ever"
    assert control.event_counts().dropped


async def test_password_appears_nowhere_in_a_whole_life(
    ari: AriServer, control: AriCallControl, log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await ari.offer("1.1")
    await log.next(LegOffered)
    ari.reply("POST /channels/1.1/answer", 500, {"message": "x"})
    with pytest.raises(PbxRefused) as refused:
        await control.answer(LegId("1.1"))
    await ari.sockets[-1].close()
    await log.next(PbxLost)
    await log.next(PbxConnected)
    shown = [caplog.text, str(refused.value), repr(control), *(request.raw_path for request in ari.requests)]
    assert not any(PASSWORD in text or "Basic" in text for text in shown)


async def test_refused_websocket_shows_no_credentials_in_its_traceback(ari: AriServer) -> None:
    rest = AriRest(ari.url, "parley", "a-guess-of-mine")
    with pytest.raises(PbxRefused) as refused:
        await rest.connect_events("parley")
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    await rest.aclose()
