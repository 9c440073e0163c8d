"""Transfers that a party's phone asks for, where Asterisk leaves them to us: what is allowed, done and told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ari_app import AriCallControl
from ari_app.asterisk_info import AsteriskInfo
from ari_app.events import ChannelTransfer
from ari_app.transfers import is_safe
from parley.call_control import (
    HangupCause,
    LegEnded,
    LegHeld,
    LegId,
    LegOffered,
    LegReplaced,
    RtpTarget,
)
from tests.ari_app.ari_server import AriServer, channel
from tests.ari_app.captured import captured_events, captured_messages
from tests.ari_app.conftest import Connect, asked
from tests.contract.benches import EventLog, deaf, until

LEG = LegId("1.1")
CALLS = r"POST /channels/parley-moved\.parley\.[0-9a-f]+"
PROGRESS = f"POST /channels/{LEG}/transfer_progress"
HANDLING = "PJSIP_TRANSFER_HANDLING()"


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ("18.9", False),
        ("20.20", False),
        ("20.21", True),
        ("21.12", False),
        ("22.10", False),
        ("22.11", True),
        ("23.4", False),
        ("23.5", True),
        ("24.0", True),
        ("GIT-master-1a2b3c", False),
    ],
)
def test_transfers_are_ours_only_where_no_caller_can_end_asterisk_by_them(version: str, safe: bool) -> None:
    assert is_safe(AsteriskInfo(version)) is safe


async def leg_of(ari: AriServer, connect: Connect, version: str, *, requests: int = 3) -> AriCallControl:
    """Connect to an Asterisk of this version and be offered a leg.

    requests: timer, what the dialplan is told of the handling of transfers, and the handling.
    """
    ari.version = version
    control = connect(dead_man_s=60)
    await control.start()
    await ari.offer(LEG, "agent=reception", state="Up")
    assert await asked(ari, f"POST /channels/{LEG}/variable", count=requests)
    return control


def handlings(ari: AriServer) -> list[str]:
    """Return what the leg's transfer handling was set to."""
    requests = ari.asked(f"POST /channels/{LEG}/variable")
    return [request.body["value"] for request in requests if request.body["variable"] == HANDLING]


async def test_phones_of_a_safe_asterisk_are_ours_until_they_leave(ari: AriServer, connect: Connect) -> None:
    control = await leg_of(ari, connect, "22.11.0")
    await control.continue_in_dialplan(LEG, {})
    assert handlings(ari) == ["ari-only", "core"]
    assert str(ari.requests[-1]) == f"POST /channels/{LEG}/continue"


async def test_dialplan_is_told_first_what_it_has_to_undo_should_we_not_be_there(
    ari: AriServer, connect: Connect
) -> None:
    await leg_of(ari, connect, "22.11.0")
    set_first, then = [
        (request.body["variable"], request.body["value"])
        for request in ari.asked(f"POST /channels/{LEG}/variable")
        if request.body["variable"] != "TIMEOUT(absolute)"
    ]
    assert set_first == ("PARLEY_TRANSFER_HANDLING", "ari-only")
    assert then == (HANDLING, "ari-only")


async def test_phones_of_callers_who_are_sent_on_at_once_are_left_alone(ari: AriServer, connect: Connect) -> None:
    ari.version = "22.11.0"
    control = connect()
    log = EventLog(control)
    await control.start()
    async with asyncio.TaskGroup() as group:
        collecting = group.create_task(log.run())
        await ari.offer(LEG, "agent=reception", state="Up")
        await log.next(LegOffered)
        await control.continue_in_dialplan(LEG, {})
        await ari.offer("1.2", state="Up")
        assert await asked(ari, "POST /channels/1.2/variable")
        collecting.cancel()
    assert handlings(ari) == []


async def test_phones_of_legs_that_an_earlier_process_left_are_given_back_too(ari: AriServer, connect: Connect) -> None:
    ari.version = "22.11.0"
    ari.channels[LEG] = channel(LEG, "Up")
    ari.subscribed.add(LEG)
    control = connect()
    await control.start()
    assert await asked(ari, f"POST /channels/{LEG}/variable", count=2)
    await control.continue_in_dialplan(LEG, {})
    assert handlings(ari) == ["ari-only", "core"]


async def test_phones_of_an_asterisk_that_callers_could_crash_are_left_alone(ari: AriServer, connect: Connect) -> None:
    control = await leg_of(ari, connect, "22.10.1", requests=1)
    await control.continue_in_dialplan(LEG, {})
    assert handlings(ari) == []


@pytest.mark.parametrize(("version", "warned"), [("22.10.1", True), ("22.11.0", False)])
async def test_transfers_that_are_ours_where_callers_could_crash_asterisk_are_warned_of(
    ari: AriServer, connect: Connect, caplog: pytest.LogCaptureFixture, version: str, warned: bool
) -> None:
    ari.version = version
    await connect(transfers_by_us=True).start()
    assert ("callers can end this Asterisk" in caplog.text) is warned


async def test_asterisk_that_refuses_keeps_transfers_to_itself(ari: AriServer, connect: Connect) -> None:
    ari.reply(f"POST /channels/{LEG}/variable", 500, {"message": "no"})
    control = await leg_of(ari, connect, "22.11.0", requests=2)
    ari.reply(f"POST /channels/{LEG}/variable", 204)
    await control.continue_in_dialplan(LEG, {})
    assert handlings(ari) == []


@pytest.fixture
async def leg(ari: AriServer, control: AriCallControl, log: EventLog) -> LegId:
    """A leg that talks with us; its phone may transfer to the extensions 1 and 2 of the context `desks`."""
    ari.variables |= {
        "TRANSFER_CONTEXT": "desks",
        "DIALPLAN_EXISTS(desks,1,1)": "1",
        "DIALPLAN_EXISTS(desks,9,1)": "0",
        "DIALPLAN_EXISTS(parley-moved,s,1)": "1",
    }
    await ari.offer(LEG, "agent=reception", state="Up")
    await log.next(LegOffered)
    await control.attach_audio(LEG, RtpTarget("127.0.0.1", 4000), deaf)
    return LEG


def blind(extension: str = "1") -> dict[str, Any]:
    """Return the event of a REFER to an extension."""
    message = captured_messages("blind_transfer_asked_of_us")[0]
    message["referred_by"]["source_channel"]["id"] = LEG
    message["refer_to"]["requested_destination"]["destination"] = extension
    return message


def attended(peer_id: str = "2.1", peer_name: str = "PJSIP/trunk-00000007") -> dict[str, Any]:
    """Return the event of a REFER that names another call."""
    message = captured_messages("attended_transfer_asked_of_us")[0]
    message["referred_by"]["source_channel"]["id"] = LEG
    message["refer_to"]["connected_channel"] |= {"id": peer_id, "name": peer_name}
    return message


async def called(ari: AriServer) -> LegId:
    """Wait until somebody is called; return the id of the new leg."""
    assert await asked(ari, CALLS)
    return LegId(ari.asked(CALLS)[-1].path.rpartition("/")[2])


async def told(ari: AriServer, *states: str) -> bool:
    """Wait until the phone was told exactly this."""

    async def now() -> bool:
        return [request.raw_path.partition("states=")[2] for request in ari.asked(PROGRESS)] == list(states)

    return await until(now)


async def answers(ari: AriServer, leg_id: LegId) -> None:
    """Let the new party answer, and go through the dialplan."""
    made = ari.channels[leg_id] = {**channel(leg_id, "Up"), "name": "Local/1@desks-00000000;1"}
    ari.subscribed.add(leg_id)
    await ari.send({"type": "StasisStart", "args": [], "channel": made})
    assert await asked(ari, f"POST /channels/{leg_id}/continue")
    await ari.send(
        {"type": "StasisEnd", "channel": made}, {"type": "StasisStart", "args": ["agent=reception"], "channel": made}
    )


async def test_extension_that_the_site_allows_is_called_and_takes_the_place_when_it_answers(
    ari: AriServer, log: EventLog, leg: LegId
) -> None:
    await ari.send(blind())
    new = await called(ari)
    assert ari.asked(CALLS)[0].body == {
        "app": "parley",
        "appArgs": "parley-moved",
        "callerId": "15550100",
        "endpoint": "Local/1@desks/n",
        "timeout": 30,
        "variables": {},
    }
    for state in ("Ringing", "Ringing"):
        await ari.send({"type": "ChannelStateChange", "channel": channel(new, state)})
    assert await told(ari, "channel_progress")
    await answers(ari, new)
    replaced = await log.next(LegReplaced)
    assert (replaced.leg_id, replaced.leg.id) == (leg, new)
    assert await told(ari, "channel_progress", "channel_answered")


@pytest.mark.parametrize("context", ["", "parley-no-transfers", "desks/n,30"])
async def test_blind_transfer_is_declined_where_no_context_allows_any(
    ari: AriServer, log: EventLog, leg: LegId, context: str
) -> None:
    ari.variables["TRANSFER_CONTEXT"] = context
    await ari.send(blind())
    assert await told(ari, "channel_declined")
    assert ari.asked(CALLS) == []


@pytest.mark.parametrize("extension", ["", "9", "7", "1/n", "1@internal", "1&PJSIP/trunk", "1 2", "${SHELL(id)}"])
async def test_extension_that_is_not_there_or_none_is_declined(
    ari: AriServer, log: EventLog, leg: LegId, extension: str
) -> None:
    await ari.send(blind(extension))
    assert await told(ari, "channel_declined")
    assert ari.asked(CALLS) == []


async def test_other_call_of_the_phone_is_linked(ari: AriServer, log: EventLog, leg: LegId) -> None:
    await ari.send(attended())
    new = await called(ari)
    body = ari.asked(CALLS)[0].body
    assert body["endpoint"] == "Local/link@parley-moved/n"
    assert body["variables"] == {"PARLEY_LINK": "PJSIP/trunk-00000007"}
    await answers(ari, new)
    assert (await log.next(LegReplaced)).leg.id == new
    assert await told(ari, "channel_answered")


@pytest.mark.parametrize(
    "message",
    [
        attended(peer_id="parley-media.parley.01"),
        attended(peer_id=LEG),
        attended(peer_name="PJSIP/x,evil"),
        attended() | {"refer_to": {"requested_destination": {"destination": "1", "protocol_id": "elsewhere"}}},
    ],
    ids=["our media leg", "our own leg", "odd name", "call at another PBX"],
)
async def test_other_call_that_cannot_be_linked_is_declined(
    ari: AriServer, log: EventLog, leg: LegId, message: dict[str, Any]
) -> None:
    await ari.send(message)
    assert await told(ari, "channel_declined")
    assert ari.asked(CALLS) == []


async def test_party_that_does_not_answer_leaves_the_conversation_as_it_was(
    ari: AriServer, control: AriCallControl, log: EventLog, leg: LegId
) -> None:
    await ari.send(blind())
    new = await called(ari)
    await ari.send({"type": "ChannelDestroyed", "cause": 17, "cause_txt": "", "channel": channel(new, "Ringing")})
    assert await told(ari, "channel_unavailable")
    await control.send_dtmf(leg, "1")
    await ari.send(blind())
    assert await asked(ari, CALLS, count=2)


async def test_asterisk_that_cannot_call_it_is_told_as_unavailable(ari: AriServer, log: EventLog, leg: LegId) -> None:
    ari.reply(CALLS, 500, {"error": "Allocation failed"})
    await ari.send(blind())
    assert await told(ari, "channel_unavailable")


async def test_phone_that_does_not_wait_leaves_the_conversation_on_hold_until_the_other_is_there(
    ari: AriServer, log: EventLog, leg: LegId
) -> None:
    await ari.send(blind())
    new = await called(ari)
    await ari.hang_up(leg)
    assert (await log.next(LegHeld)).leg_id == leg
    await answers(ari, new)
    assert (await log.next(LegReplaced)).leg.id == new
    assert log.about(leg, [LegEnded]) == []


async def test_phone_that_does_not_wait_for_somebody_who_never_answers_has_hung_up(
    ari: AriServer, log: EventLog, leg: LegId
) -> None:
    await ari.send(blind())
    new = await called(ari)
    await ari.hang_up(leg)
    await log.next(LegHeld)
    await ari.send({"type": "ChannelDestroyed", "cause": 19, "cause_txt": "", "channel": channel(new, "Ringing")})
    assert await log.next(LegEnded) == LegEnded(leg, HangupCause.NORMAL_CLEARING)
    assert await asked(ari, r"DELETE /channels/parley-media\..*")
    assert await asked(ari, r"DELETE /bridges/.*")


@pytest.mark.parametrize("way_out", ["hang up", "dialplan"])
async def test_transfer_is_given_up_when_the_conversation_ends_first(
    ari: AriServer, control: AriCallControl, log: EventLog, leg: LegId, way_out: str
) -> None:
    await ari.send(blind())
    new = await called(ari)
    await (control.hangup(leg) if way_out == "hang up" else control.continue_in_dialplan(leg, {}))
    assert await asked(ari, f"DELETE /channels/{new}")
    await ari.hang_up(leg)
    assert (await log.next(LegEnded)).leg_id == leg
    assert log.about(leg, [LegHeld]) == []


async def test_transfer_given_up_while_it_is_looked_up_calls_nobody(
    ari: AriServer, control: AriCallControl, log: EventLog, leg: LegId
) -> None:
    go_on = ari.stall(f"GET /channels/{leg}/variable")
    await ari.send(blind())
    assert await asked(ari, f"GET /channels/{leg}/variable")
    await control.continue_in_dialplan(leg, {})
    go_on.set()
    assert await told(ari, "channel_unavailable")
    await ari.offer("1.3", state="Up")
    message = blind()
    message["referred_by"]["source_channel"]["id"] = "1.3"
    await ari.send(message)
    await called(ari)
    assert len(ari.asked(CALLS)) == 1
    assert len(ari.asked(PROGRESS)) == 1


@pytest.mark.parametrize("status", [200, 504])
async def test_party_whose_call_began_after_the_transfer_was_given_up_is_hung_up(
    ari: AriServer, control: AriCallControl, log: EventLog, leg: LegId, status: int
) -> None:
    go_on = ari.stall(CALLS)
    ari.reply(CALLS, status, channel("parley-moved.parley.01", "Down"))
    await ari.send(blind())
    new = await called(ari)
    await control.continue_in_dialplan(leg, {})
    assert await asked(ari, f"DELETE /channels/{new}")
    go_on.set()
    assert await asked(ari, f"DELETE /channels/{new}", count=2)


async def test_answer_to_a_transfer_that_nobody_waits_for_is_hung_up_and_offered_to_nobody(
    ari: AriServer, log: EventLog, leg: LegId
) -> None:
    await ari.send(blind())
    await called(ari)
    arguments = ari.asked(CALLS)[0].body["appArgs"]
    late, known_to_the_dialplan = "parley-moved.parley.01", "parley-moved.parley.02"
    await ari.offer(late, arguments, state="Up")
    assert await asked(ari, f"DELETE /channels/{late}")
    await ari.offer(known_to_the_dialplan, "agent=reception", state="Up")
    assert (await log.next(LegOffered)).leg.id == known_to_the_dialplan


async def test_parties_whom_an_earlier_process_was_calling_for_a_transfer_are_hung_up(
    ari: AriServer, connect: Connect
) -> None:
    for name, state in (("01", "Ringing"), ("02", "Up")):
        ari.channels[f"parley-moved.parley.{name}"] = channel(f"parley-moved.parley.{name}", state)
    await connect().start()
    assert await asked(ari, "DELETE /channels/parley-moved.parley.01")
    await connect().start()
    assert await asked(ari, "DELETE /channels/parley-moved.parley.01", count=2)
    assert ari.asked("DELETE /channels/parley-moved.parley.02") == [], "that one talks with somebody elsewhere"


async def test_second_request_does_not_make_a_second_call(ari: AriServer, log: EventLog, leg: LegId) -> None:
    for _ in range(3):
        await ari.send(blind())
    await called(ari)
    await ari.offer("1.3")
    await log.next(LegOffered)
    assert len(ari.asked(CALLS)) == 1


async def test_our_own_answers_and_requests_about_strangers_are_no_requests(
    ari: AriServer, log: EventLog, leg: LegId
) -> None:
    stranger = blind()
    stranger["referred_by"]["source_channel"]["id"] = "9.9"
    await ari.send(blind() | {"state": "channel_progress"}, stranger)
    await ari.offer("1.3")
    await log.next(LegOffered)
    assert ari.asked(CALLS) == ari.asked(".*/transfer_progress") == []


async def test_transfer_of_before_an_outage_is_given_up(ari: AriServer, log: EventLog, leg: LegId) -> None:
    await ari.send(blind())
    new = await called(ari)
    await ari.sockets[-1].close()
    assert await asked(ari, f"DELETE /channels/{new}")
    assert await told(ari, "channel_unavailable")


def test_requests_are_read_as_asterisk_sends_them() -> None:
    def requests(name: str) -> list[ChannelTransfer]:
        return [event for event in captured_events(name) if isinstance(event, ChannelTransfer)]

    first, answer = requests("attended_transfer_asked_of_us")
    assert first.attended
    assert first.peer is not None
    assert first.peer.name == "PJSIP/trunk-00000000"
    assert answer.state == "channel_declined"
    asked_for = requests("blind_transfer_asked_of_us")
    assert [event.state for event in asked_for] == ["", "channel_progress", "channel_answered"]
    assert {(event.extension, event.attended) for event in asked_for} == {("930", False)}
