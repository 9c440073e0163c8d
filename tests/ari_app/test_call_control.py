"""The adapter's commands: what it asks of ARI, and how it takes refusals and races."""

import asyncio

import pytest

from ari_app import AriCallControl
from parley.call_control import (
    AudioCodec,
    AudioPeer,
    AudioSocketPeer,
    AudioSocketTarget,
    AudioTarget,
    DialplanTarget,
    HangupCause,
    InvalidRequest,
    LegAnswered,
    LegEnded,
    LegGone,
    LegId,
    LegLeft,
    LegOffered,
    OriginateRequest,
    PbxConnected,
    PbxLost,
    PbxRefused,
    PbxUnavailable,
    RtpPeer,
    RtpTarget,
    SipTarget,
    WebSocketPeer,
    WebSocketTarget,
)
from tests.ari_app.ari_server import AriServer, channel
from tests.ari_app.conftest import Connect, asked
from tests.contract.benches import EventLog, PeerNote, deaf, until

LEG = LegId("1.1")
TARGET = RtpTarget("127.0.0.1", 4000)
SOCKET_ID = "6e0a3c1e-1c5a-4b5e-9d0e-0123456789ab"
MEDIA = r"/channels/parley-media\.parley\.[0-9a-f]+"
BRIDGE = r"/bridges/parley-bridge\.parley\.[0-9a-f]+"


@pytest.fixture
async def leg(ari: AriServer, log: EventLog) -> LegId:
    await ari.offer(LEG, "agent=reception")
    return (await log.next(LegOffered)).leg.id


async def test_audio_is_attached_by_media_leg_and_bridge(ari: AriServer, control: AriCallControl, leg: LegId) -> None:
    named = PeerNote()
    await control.attach_audio(leg, TARGET, named)
    assert named.peers == [RtpPeer("127.0.0.1", 25252, AudioCodec.ULAW)]
    [media] = ari.asked("POST /channels/externalMedia")
    assert media.body["external_host"] == "127.0.0.1:4000"
    assert media.body["format"] == "ulaw"
    assert media.body["app"] == "parley"
    assert media.body["variables"] == {"PARLEY_LEG": leg}
    [bridge] = ari.asked(f"POST {BRIDGE}")
    assert bridge.body == {"type": "mixing", "name": "parley-1.1"}
    added = [request.body["channel"] for request in ari.asked(f"POST {BRIDGE}/addChannel")]
    assert added == [leg, media.body["channelId"]]


async def test_websocket_leg_waits_at_asterisks_own_web_server_with_checked_options_only(
    ari: AriServer, control: AriCallControl, leg: LegId
) -> None:
    named = PeerNote()
    await control.attach_audio(leg, WebSocketTarget(AudioCodec.SLIN16), named)
    [media] = ari.asked("POST /channels/externalMedia")
    assert {key: media.body[key] for key in ("external_host", "format", "transport", "encapsulation")} == {
        "external_host": "INCOMING",
        "format": "slin16",
        "transport": "websocket",
        "encapsulation": "none",
    }
    assert (media.body["connection_type"], media.body["transport_data"]) == ("server", "f(json)")
    url = ari.url.replace("http:", "ws:").removesuffix("/ari") + "/media/media-id"
    assert named.peers == [WebSocketPeer(url, AudioCodec.SLIN16)]
    assert "media-id" not in repr(named.peers), "the id is a secret"


async def test_websocket_leg_is_bridged_after_our_end_has_connected(
    ari: AriServer, control: AriCallControl, leg: LegId
) -> None:
    ari.media_enters_stasis = False

    async def connect(peer: AudioPeer) -> None:
        [media] = ari.asked("POST /channels/externalMedia")
        await ari.send({"type": "StasisStart", "args": [], "channel": {"id": media.body["channelId"]}})

    await control.attach_audio(leg, WebSocketTarget(), connect)
    assert len(ari.asked(f"POST {BRIDGE}/addChannel")) == 2


async def test_audiosocket_leg_is_told_address_and_id(ari: AriServer, control: AriCallControl, leg: LegId) -> None:
    named = PeerNote()
    await control.attach_audio(leg, AudioSocketTarget("::1", 9092, SOCKET_ID), named)
    [media] = ari.asked("POST /channels/externalMedia")
    expected = {
        "external_host": "[::1]:9092",
        "format": "slin",
        "encapsulation": "audiosocket",
        "transport": "tcp",
        "data": SOCKET_ID,
    }
    assert {key: media.body[key] for key in expected} == expected
    assert named.peers == [AudioSocketPeer(SOCKET_ID, AudioCodec.SLIN)]
    assert SOCKET_ID not in repr(named.peers), "the id is a secret"


@pytest.mark.parametrize(("target", "lines"), [(TARGET, 1), (WebSocketTarget(), 0)])
async def test_media_leg_that_somebody_ends_is_logged_unless_it_ends_with_our_connection(
    ari: AriServer,
    control: AriCallControl,
    log: EventLog,
    leg: LegId,
    target: AudioTarget,
    lines: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await control.attach_audio(leg, target, deaf)
    [media] = ari.asked("POST /channels/externalMedia")
    await ari.send({"type": "ChannelDestroyed", "cause": 16, "channel": {"id": media.body["channelId"]}})
    await ari.offer("1.2")
    await log.next(LegOffered)
    assert caplog.text.count("somebody ended a media leg of ours") == lines


async def test_end_of_ours_that_cannot_be_opened_deletes_the_media_leg(
    ari: AriServer, control: AriCallControl, leg: LegId
) -> None:
    async def broken(peer: AudioPeer) -> None:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        await control.attach_audio(leg, TARGET, broken)
    assert await asked(ari, f"DELETE {MEDIA}")
    assert ari.asked(f"POST {BRIDGE}.*") == []


async def test_end_of_ours_that_does_not_open_in_time_is_given_up(ari: AriServer, connect: Connect) -> None:
    control = connect(deadline_s=0.5)
    await control.start()
    await ari.offer(LEG)
    assert await until(lambda: _has(control, LEG))

    async def forever(peer: AudioPeer) -> None:
        await asyncio.Event().wait()

    with pytest.raises(PbxUnavailable):
        await control.attach_audio(LEG, TARGET, forever)
    assert await asked(ari, f"DELETE {MEDIA}")


async def test_media_leg_is_not_bridged_before_it_is_in_stasis(
    ari: AriServer, control: AriCallControl, log: EventLog, leg: LegId
) -> None:
    ari.media_enters_stasis = False
    attaching = asyncio.create_task(control.attach_audio(leg, TARGET, deaf))
    assert await asked(ari, "POST /channels/externalMedia")
    await ari.offer("1.2")
    await log.next(LegOffered)
    assert ari.asked(f"POST {BRIDGE}.*") == []
    [media] = ari.asked("POST /channels/externalMedia")
    await ari.send({"type": "StasisStart", "args": [], "channel": {"id": media.body["channelId"]}})
    await attaching
    assert len(log.seen) == 3, "the media leg was offered as if it were a party"


async def test_linear_audio_that_old_asterisk_turns_into_mulaw_is_refused_with_what_to_set(
    ari: AriServer, control: AriCallControl, leg: LegId
) -> None:
    ari.variables["CHANNEL(audionativeformat)"] = "(ulaw)"
    with pytest.raises(PbxRefused, match='codec = "ulaw"'):
        await control.attach_audio(leg, RtpTarget("127.0.0.1", 4000, AudioCodec.SLIN), deaf)
    assert await asked(ari, f"DELETE {MEDIA}")


@pytest.mark.parametrize("formats", ["(slin)", None])
async def test_linear_audio_is_taken_where_asterisk_has_it_or_does_not_say(
    ari: AriServer, control: AriCallControl, leg: LegId, formats: str | None
) -> None:
    if formats:
        ari.variables["CHANNEL(audionativeformat)"] = formats
    await control.attach_audio(leg, RtpTarget("127.0.0.1", 4000, AudioCodec.SLIN), deaf)


async def test_media_leg_that_never_comes_up_is_given_up_and_deleted(ari: AriServer, connect: Connect) -> None:
    control = connect(deadline_s=0.5)
    await control.start()
    await ari.offer(LEG)
    assert await until(lambda: _has(control, LEG))
    ari.media_enters_stasis = False
    with pytest.raises(PbxUnavailable, match="Stasis"):
        await control.attach_audio(LEG, TARGET, deaf)
    assert await asked(ari, f"DELETE {MEDIA}")


async def _has(control: AriCallControl, leg_id: LegId) -> bool:
    return leg_id in [leg.id for leg in await control.legs()]


async def test_stray_media_leg_of_ours_is_deleted_when_it_appears(
    ari: AriServer, control: AriCallControl, log: EventLog
) -> None:
    await ari.send({"type": "StasisStart", "args": [], "channel": {"id": "parley-media.parley.0123"}})
    assert await asked(ari, r"DELETE /channels/parley-media\.parley\.0123")


async def test_media_leg_of_another_node_is_neither_a_party_nor_deleted(
    ari: AriServer, control: AriCallControl, log: EventLog
) -> None:
    await ari.send({"type": "StasisStart", "args": [], "channel": {"id": "parley-media.parley-b.0123"}})
    await ari.offer(LEG)
    assert (await log.next(LegOffered)).leg.id == LEG
    assert ari.asked("DELETE .*") == []


@pytest.mark.parametrize("status", [400, 422])
async def test_leg_that_ends_before_it_is_bridged_is_gone_and_nothing_stays(
    ari: AriServer, control: AriCallControl, leg: LegId, status: int
) -> None:
    ari.reply(f"POST {BRIDGE}/addChannel", status, {"message": "Channel not found"})
    with pytest.raises(LegGone):
        await control.attach_audio(leg, TARGET, deaf)
    assert await asked(ari, f"DELETE {MEDIA}")
    assert await asked(ari, f"DELETE {BRIDGE}")


async def test_leg_that_ends_while_its_audio_is_made_is_gone_and_nothing_stays(
    ari: AriServer, control: AriCallControl, log: EventLog, leg: LegId
) -> None:
    go_on = ari.stall(f"POST {BRIDGE}/addChannel")
    attaching = asyncio.create_task(control.attach_audio(leg, TARGET, deaf))
    assert await asked(ari, f"POST {BRIDGE}/addChannel")
    await ari.hang_up(leg)
    await log.next(LegEnded)
    go_on.set()
    with pytest.raises(LegGone):
        await attaching
    assert await asked(ari, f"DELETE {MEDIA}")
    assert await asked(ari, f"DELETE {BRIDGE}")


@pytest.mark.parametrize("request_path", [BRIDGE, f"{BRIDGE}/addChannel"])
async def test_cancelled_attach_deletes_what_it_made_and_nothing_before_asterisk_has_made_it(
    ari: AriServer, control: AriCallControl, leg: LegId, request_path: str
) -> None:
    go_on = ari.stall(f"POST {request_path}")
    attaching = asyncio.create_task(control.attach_audio(leg, TARGET, deaf))
    assert await asked(ari, f"POST {request_path}")
    attaching.cancel()
    await control.ring(leg)
    assert ari.asked("DELETE .*") == []
    go_on.set()
    assert await asked(ari, f"DELETE {MEDIA}")
    assert await asked(ari, f"DELETE {BRIDGE}")
    assert attaching.cancelled()


async def test_cancelled_attach_takes_a_late_refusal_in_silence(
    ari: AriServer, control: AriCallControl, leg: LegId
) -> None:
    ari.reply(f"POST {BRIDGE}/addChannel", 422, {"message": "Channel not in Stasis application"})
    go_on = ari.stall(f"POST {BRIDGE}/addChannel")
    attaching = asyncio.create_task(control.attach_audio(leg, TARGET, deaf))
    assert await asked(ari, f"POST {BRIDGE}/addChannel")
    attaching.cancel()
    await control.ring(leg)
    go_on.set()
    await asyncio.wait([attaching])
    assert attaching.cancelled()
    assert await asked(ari, f"DELETE {BRIDGE}")


@pytest.mark.parametrize("ending", ["hangup", "leaving"])
async def test_media_leg_and_bridge_go_with_the_leg(
    ari: AriServer, control: AriCallControl, log: EventLog, leg: LegId, ending: str
) -> None:
    await control.attach_audio(leg, TARGET, deaf)
    if ending == "hangup":
        await ari.hang_up(leg)
        await log.next(LegEnded)
    else:
        await ari.send({"type": "StasisEnd", "channel": ari.channels[leg]})
        await log.next(LegLeft)
    assert await asked(ari, f"DELETE {MEDIA}")
    assert await asked(ari, f"DELETE {BRIDGE}")


@pytest.mark.parametrize(
    ("target", "module"),
    [
        (TARGET, r"chan_rtp\.so"),
        (AudioSocketTarget("127.0.0.1", 9092, SOCKET_ID), r"chan_audiosocket\.so.*127\.0\.0\.1:9092"),
        (WebSocketTarget(), r"chan_websocket\.so"),
    ],
)
async def test_missing_driver_is_named(
    ari: AriServer, control: AriCallControl, leg: LegId, target: AudioTarget, module: str
) -> None:
    ari.reply("POST /channels/externalMedia", 500, {"error": "Allocation failed"})
    with pytest.raises(PbxRefused, match=module):
        await control.attach_audio(leg, target, deaf)


async def test_asterisk_that_does_not_report_its_rtp_port_is_asked_for_it(
    ari: AriServer, control: AriCallControl, leg: LegId
) -> None:
    ari.reply("POST /channels/externalMedia", 200, {"id": "x", "state": "Down"})
    ari.variables = {"UNICASTRTP_LOCAL_ADDRESS": "192.0.2.1", "UNICASTRTP_LOCAL_PORT": "40000"}
    named = PeerNote()
    attaching = asyncio.create_task(control.attach_audio(leg, TARGET, named))
    assert await asked(ari, "POST /channels/externalMedia")
    [media] = ari.asked("POST /channels/externalMedia")
    await ari.send({"type": "StasisStart", "args": [], "channel": {"id": media.body["channelId"]}})
    await attaching
    assert named.peers == [RtpPeer("192.0.2.1", 40000, AudioCodec.ULAW)]


@pytest.mark.parametrize(
    ("status", "error"), [(404, LegGone), (409, LegGone), (412, LegGone), (500, PbxRefused), (503, PbxUnavailable)]
)
async def test_refusals_of_a_command_have_their_own_errors(
    ari: AriServer, control: AriCallControl, leg: LegId, status: int, error: type[Exception]
) -> None:
    ari.reply("POST /channels/1.1/.*", status, {"message": "no"})
    for command in (control.answer(leg), control.ring(leg), control.send_dtmf(leg, "1"), control.hold(leg, True)):
        with pytest.raises(error):
            await command


@pytest.mark.parametrize(("status", "error"), [(404, LegGone), (409, PbxRefused), (412, PbxRefused)])
async def test_leg_that_still_rings_is_not_gone_because_a_command_comes_too_early(
    ari: AriServer, control: AriCallControl, status: int, error: type[Exception]
) -> None:
    leg_id = await control.originate(OriginateRequest("PJSIP/agent1"))
    ari.reply(f"POST /channels/{leg_id}/.*", status, {"message": "Channel in invalid state"})
    with pytest.raises(error):
        await control.send_dtmf(leg_id, "1")


async def test_request_without_answer_ends_at_the_deadline(ari: AriServer, connect: Connect) -> None:
    control = connect(deadline_s=0.5)
    await control.start()
    await ari.offer(LEG)
    assert await until(lambda: _has(control, LEG))
    ari.stall("POST /channels/1.1/answer")
    with pytest.raises(PbxUnavailable, match=r"within 0\.5 s"):
        await control.answer(LEG)


async def test_values_travel_in_the_body_and_ids_are_encoded_in_the_path(
    ari: AriServer, control: AriCallControl, log: EventLog
) -> None:
    strange = LegId("a/b?c=1&d;e%2F+f#g")
    await ari.offer(strange)
    await log.next(LegOffered)
    await control.continue_in_dialplan(strange, {"PARLEY_X": "a&b=c%0d\r\n${Y}"})
    variable, go_on = ari.requests[-2:]
    assert variable.raw_path == "/ari/channels/a%2Fb%3Fc%3D1%26d%3Be%252F%2Bf%23g/variable"
    assert variable.body == {"variable": "PARLEY_X", "value": "a&b=c%0d ${Y}"}
    assert go_on.raw_path.endswith("/continue")


async def test_place_and_sip_targets_become_continue_and_redirect(
    ari: AriServer, control: AriCallControl, leg: LegId
) -> None:
    await control.transfer(leg, SipTarget("sip:999@192.0.2.1"))
    await control.transfer(leg, DialplanTarget("queues", "support", 2))
    [redirect], [go_on] = ari.asked("POST /channels/1.1/redirect"), ari.asked("POST /channels/1.1/continue")
    assert redirect.body == {"endpoint": "PJSIP/sip:999@192.0.2.1"}
    assert go_on.body == {"context": "queues", "extension": "support", "priority": 2}
    with pytest.raises(InvalidRequest):
        await control.transfer(leg, SipTarget("sip:999@192.0.2.1?X=y"))


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("22.10.1", "reason_code=34"),
        ("18.0.0", "reason_code=34"),
        ("16.28.0", "reason=congestion"),
        ("GIT-x", "reason_code=34"),
    ],
)
async def test_cause_is_given_as_the_version_understands_it(
    ari: AriServer, connect: Connect, version: str, query: str
) -> None:
    ari.version = version
    control = connect()
    await control.start()
    await ari.offer(LEG)
    assert await until(lambda: _has(control, LEG))
    await control.hangup(LEG, HangupCause.NO_CIRCUIT_AVAILABLE)
    assert ari.requests[-1].raw_path == f"/ari/channels/1.1?{query}"


async def test_originate_sends_everything_in_the_body(ari: AriServer, control: AriCallControl) -> None:
    request = OriginateRequest("PJSIP/a@trunk", "+1555", "Jane", 12, {"PARLEY_X": "1,2"}, ("a=1", "b=2"))
    leg_id = await control.originate(request)
    [made] = ari.asked("POST /channels/parley-leg.*")
    assert made.path == f"/channels/{leg_id}"
    assert made.body == {
        "app": "parley",
        "appArgs": "a=1,b=2",
        "callerId": '"Jane" <+1555>',
        "endpoint": "PJSIP/a@trunk",
        "timeout": 12,
        "variables": {"PARLEY_X": "1,2", "TRANSFER_CONTEXT": "parley-no-transfers"},
    }


async def test_site_may_let_a_called_party_transfer_us(ari: AriServer, control: AriCallControl) -> None:
    await control.originate(OriginateRequest("PJSIP/a", variables={"TRANSFER_CONTEXT": "desks"}))
    [made] = ari.asked("POST /channels/parley-leg.*")
    assert made.body["variables"] == {"TRANSFER_CONTEXT": "desks"}


async def test_destination_that_asterisk_does_not_know_is_refused_and_forgotten(
    ari: AriServer, control: AriCallControl
) -> None:
    ari.reply("POST /channels/parley-leg.*", 500, {"error": "Allocation failed"})
    with pytest.raises(PbxRefused, match="endpoint"):
        await control.originate(OriginateRequest("PJSIP/nobody"))
    assert await control.legs() == []


async def test_attempt_whose_request_is_given_up_is_hung_up(ari: AriServer, connect: Connect) -> None:
    control = connect(deadline_s=0.5)
    await control.start()
    ari.stall("POST /channels/parley-leg.*")
    with pytest.raises(PbxUnavailable):
        await control.originate(OriginateRequest("PJSIP/agent1"))
    assert await asked(ari, "DELETE /channels/parley-leg.*")


async def test_leg_cannot_be_joined_with_itself(control: AriCallControl, leg: LegId) -> None:
    with pytest.raises(InvalidRequest):
        await control.join(leg, leg)


async def test_dead_man_timer_is_armed_on_offer_renewed_and_cleared_before_the_leg_leaves(
    ari: AriServer, connect: Connect
) -> None:
    control = connect(dead_man_s=0.3)
    await control.start()
    await ari.offer(LEG)
    assert await asked(ari, "POST /channels/1.1/variable", count=3)
    await control.continue_in_dialplan(LEG, {})
    set_to = [request.body["value"] for request in ari.asked("POST /channels/1.1/variable")]
    assert set(set_to[:-1]) == {"0.3"}
    assert set_to[-1] == "0"
    assert str(ari.requests[-1]) == "POST /channels/1.1/continue"


async def test_leg_that_comes_back_from_the_dialplan_is_timed_again(ari: AriServer, connect: Connect) -> None:
    control = connect(dead_man_s=60)
    await control.start()
    await ari.offer(LEG)
    assert await asked(ari, "POST /channels/1.1/variable")
    await control.continue_in_dialplan(LEG, {})
    await ari.send({"type": "StasisEnd", "channel": ari.channels[LEG]})
    await ari.offer(LEG)
    assert await asked(ari, "POST /channels/1.1/variable", count=3)
    assert [request.body["value"] for request in ari.asked("POST /channels/1.1/variable")] == ["60", "0", "60"]


async def test_leg_of_an_earlier_process_is_timed_when_it_is_claimed_and_not_before(
    ari: AriServer, connect: Connect
) -> None:
    ari.channels[LEG] = channel(LEG, "Up")
    ari.subscribed.add(LEG)
    control = connect(dead_man_s=60)
    await control.start()
    assert [leg.id for leg in await control.legs()] == [LEG]
    assert ari.asked("POST /channels/1.1/variable") == []
    await control.claim(LEG)
    assert [request.body["value"] for request in ari.asked("POST /channels/1.1/variable")] == ["60"]


async def test_legs_that_an_earlier_process_was_calling_are_hung_up_those_of_other_nodes_are_not(
    ari: AriServer, connect: Connect
) -> None:
    ringing, talking, theirs = "parley-leg.parley.01", "parley-leg.parley.02", "parley-leg.parley-b.03"
    ari.channels |= {ringing: channel(ringing, "Down"), talking: channel(talking, "Up"), theirs: channel(theirs, "Up")}
    ari.subscribed |= {ringing, talking}
    await connect().start()
    assert await asked(ari, "DELETE /channels/parley-leg.*", count=2)
    assert [str(request) for request in ari.asked("DELETE .*")] == [
        f"DELETE /channels/{ringing}",
        f"DELETE /channels/{talking}",
    ]


async def test_legs_that_an_earlier_process_called_and_that_talk_to_somebody_are_left_alone(
    ari: AriServer, connect: Connect
) -> None:
    queued, elsewhere, joined = "parley-leg.parley.01", "parley-leg.parley.02", "parley-leg.parley.03"
    alone = "parley-leg.parley.04"
    ari.channels |= {
        queued: channel(queued, "Up", "support", "Queue"),
        elsewhere: channel(elsewhere, "Up", "another-application"),
        joined: channel(joined, "Up"),
        alone: channel(alone, "Up"),
    }
    ari.subscribed |= set(ari.channels)
    ari.bridges += [
        {"id": "site-bridge", "name": "", "channels": [joined, "1.1"]},
        {"id": "parley-bridge.parley.01", "name": f"parley-{alone}", "channels": [alone, "parley-media.parley.01"]},
    ]
    await connect().start()
    assert await asked(ari, f"DELETE /channels/{alone}")
    assert len(ari.asked("DELETE /channels/parley-leg.*")) == 1


async def test_called_party_whom_we_gave_to_a_queue_survives_a_reconnect(
    ari: AriServer, control: AriCallControl, log: EventLog
) -> None:
    await log.next(PbxConnected)
    leg_id = await control.originate(OriginateRequest("PJSIP/agent1"))
    await ari.offer(leg_id, state="Up")
    await log.next(LegAnswered)
    connect_again = ari.stall("GET /asterisk/info")
    await ari.sockets[-1].close()
    await log.next(PbxLost)
    await control.continue_in_dialplan(leg_id, {})
    assert (await log.next(LegLeft)).leg_id == leg_id
    # Asterisk is still about to send it on.
    connect_again.set()
    await log.next(PbxConnected)
    ari.channels[leg_id] = channel(leg_id, "Up", "support", "Queue")
    ari.subscribed.discard(leg_id)
    await ari.sockets[-1].close()
    await log.next(PbxConnected)
    await control.legs()
    assert ari.asked("DELETE .*") == []


async def test_attempt_of_our_own_survives_a_reconnect(ari: AriServer, control: AriCallControl, log: EventLog) -> None:
    leg_id = await control.originate(OriginateRequest("PJSIP/agent1"))
    ari.channels[leg_id] = channel(leg_id, "Down")
    ari.subscribed.add(leg_id)
    await log.next(PbxConnected)
    await ari.sockets[-1].close()
    await log.next(PbxConnected)
    await control.hangup(leg_id)
    assert [str(request) for request in ari.asked("DELETE .*")] == [f"DELETE /channels/{leg_id}"]


@pytest.mark.parametrize("state", ["Down", "Up"], ids=["rings", "talks"])
async def test_far_half_of_a_local_call_of_our_own_survives_a_reconnect(
    ari: AriServer, control: AriCallControl, log: EventLog, state: str
) -> None:
    leg_id = await control.originate(OriginateRequest("Local/100@desks"))
    ari.channels |= {leg_id: channel(leg_id, state), f"{leg_id};2": channel(f"{leg_id};2", "Ring", "PJSIP/1", "Dial")}
    ari.subscribed.add(leg_id)
    await log.next(PbxConnected)
    await ari.sockets[-1].close()
    await log.next(PbxConnected)
    await control.hangup(leg_id)
    assert [str(request) for request in ari.asked("DELETE .*")] == [f"DELETE /channels/{leg_id}"]


async def test_local_call_of_an_earlier_process_is_judged_by_its_near_half(ari: AriServer, connect: Connect) -> None:
    queued, alone = "parley-leg.parley.01", "parley-leg.parley.02"
    ari.channels |= {queued: channel(queued, "Up", "support", "Queue"), alone: channel(alone, "Up")}
    ari.channels |= {f"{near};2": channel(f"{near};2", "Ring", "PJSIP/1", "Dial") for near in (queued, alone)}
    ari.subscribed |= {queued, alone}
    await connect().start()
    assert await asked(ari, f"DELETE /channels/{alone}")
    assert len(ari.asked("DELETE .*")) == 1


async def test_commands_before_start_and_after_close_are_refused(connect: Connect) -> None:
    control = connect()
    with pytest.raises(PbxUnavailable):
        await control.answer(LEG)
    await control.start()
    await control.aclose()
    with pytest.raises(PbxUnavailable):
        await control.originate(OriginateRequest("PJSIP/agent1"))
