"""Another party takes a leg's place: its way through the dialplan into the bridge, and what may go wrong on it."""

import asyncio

import pytest

from ari_app import AriCallControl
from parley.call_control import (
    DigitReceived,
    HangupCause,
    LegEnded,
    LegGone,
    LegHeld,
    LegId,
    LegLeft,
    LegOffered,
    LegReplaced,
    LegRetrieved,
    LegState,
    PbxConnected,
    RtpTarget,
)
from tests.ari_app.ari_server import AriServer, channel
from tests.ari_app.conftest import Connect, asked, recorded
from tests.contract.benches import EventLog, deaf, until

OLD, NEW = LegId("1.1"), LegId("1.2")
IN_DIALPLAN = "DIALPLAN_EXISTS(parley-moved,s,1)"
THROUGH = f"POST /channels/{NEW}/continue"
MEDIA = r"/channels/parley-media\.parley\.[0-9a-f]+"
BRIDGE = r"/bridges/parley-bridge\.parley\.[0-9a-f]+"


@pytest.fixture
async def old(ari: AriServer, control: AriCallControl, log: EventLog) -> LegId:
    """A leg that talks with us, in a dialplan that has `[parley-moved]`."""
    ari.variables[IN_DIALPLAN] = "1"
    await ari.offer(OLD, "agent=reception", "store=a,b", state="Up")
    await log.next(LegOffered)
    await control.attach_audio(OLD, RtpTarget("127.0.0.1", 4000), deaf)
    return OLD


async def takes_the_place(ari: AriServer, state: str = "Up") -> None:
    """Let Asterisk put a new channel in the old one's place."""
    ari.channels[NEW] = {**channel(NEW, state), "name": "Local/_attended@transfer-00000000;2"}
    ari.subscribed.add(NEW)
    started = {"type": "StasisStart", "args": [], "channel": ari.channels[NEW], "replace_channel": ari.channels[OLD]}
    await ari.send(started)


async def comes_back(ari: AriServer) -> None:
    """Let the new channel go through the dialplan, once it is sent there."""
    assert await asked(ari, THROUGH)
    await ari.send(
        {"type": "StasisEnd", "channel": ari.channels[NEW]},
        {
            "type": "StasisStart",
            "args": ["agent=reception"],
            "channel": ari.channels[NEW],
            "replace_channel": ari.channels[OLD],
        },
    )


async def test_new_party_goes_through_the_dialplan_and_gets_bridge_and_media(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    await takes_the_place(ari)
    told = await log.next(LegReplaced)
    assert (told.leg_id, told.leg.id, told.leg.state) == (OLD, NEW, LegState.ANSWERED)
    assert told.leg.arguments == ("agent=reception", "store=a,b")
    await comes_back(ari)
    assert await asked(ari, f"POST {BRIDGE}/addChannel", count=3)
    variables = {r.body["variable"]: r.body["value"] for r in ari.asked(f"POST /channels/{NEW}/variable")}
    assert variables == {"PARLEY_NODE": "parley", "PARLEY_ARGUMENTS": r"agent=reception,store=a\,b"}
    [through] = ari.asked(THROUGH)
    assert through.body == {"context": "parley-moved", "extension": "s", "priority": 1}
    assert ari.asked(f"POST {BRIDGE}/addChannel")[-1].body == {"channel": NEW}
    assert [r.body for r in ari.asked(f"POST {BRIDGE}/removeChannel")] == [{"channel": OLD}]
    await ari.send({"type": "ChannelDtmfReceived", "digit": "5", "duration_ms": 80, "channel": ari.channels[NEW]})
    assert (await log.next(DigitReceived)).leg_id == NEW
    await ari.hang_up(NEW)
    assert await log.next(LegEnded) == LegEnded(NEW, HangupCause.NORMAL_CLEARING)
    assert await asked(ari, f"DELETE {MEDIA}")
    assert await asked(ari, f"DELETE {BRIDGE}")


async def test_end_of_the_party_whose_place_was_taken_is_not_told(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    await takes_the_place(ari)
    await ari.hang_up(OLD)
    await log.next(LegReplaced)
    await ari.offer("1.3")
    await log.next(LegOffered)
    assert log.about(OLD, [LegEnded, LegLeft]) == []
    assert ari.asked(f"DELETE {MEDIA}") == []


async def test_commands_wait_until_the_new_party_is_there_and_name_either_leg(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    await takes_the_place(ari)
    await log.next(LegReplaced)
    async with asyncio.TaskGroup() as group:
        for leg_id, digit in ((OLD, "1"), (NEW, "2")):
            group.create_task(control.send_dtmf(leg_id, digit))
        assert await asked(ari, THROUGH)
        assert ari.asked("POST /channels/.*/dtmf") == []
        await comes_back(ari)
    assert sorted(r.body["dtmf"] for r in ari.asked(f"POST /channels/{NEW}/dtmf")) == ["1", "2"]


async def test_the_new_party_is_asked_about_whose_audio_it_is(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    ari.reply(f"GET /channels/{OLD}/rtp_statistics", 200, {"txcount": 500})
    ari.reply(f"GET /channels/{NEW}/rtp_statistics", 404, {"message": "no RTP"})
    assert await control.audio_sent(OLD) == 500
    await takes_the_place(ari)
    await log.next(LegReplaced)
    assert await control.audio_sent(OLD) is None


async def test_new_party_can_be_replaced_again(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    await takes_the_place(ari)
    await comes_back(ari)
    await control.send_dtmf(OLD, "1")
    third = {**channel("1.3", "Up"), "name": "Local/x;1"}
    ari.channels["1.3"] = third
    await ari.send({"type": "StasisStart", "args": [], "channel": third, "replace_channel": ari.channels[NEW]})
    assert await asked(ari, "POST /channels/1.3/continue")
    await ari.send({"type": "StasisEnd", "channel": third}, {"type": "StasisStart", "args": [], "channel": third})
    await control.send_dtmf(OLD, "1")
    assert len(ari.asked("POST /channels/1.3/dtmf")) == 1


async def test_dialplan_without_the_context_is_told_and_the_party_served(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId, caplog: pytest.LogCaptureFixture
) -> None:
    ari.variables = {}
    await takes_the_place(ari)
    await log.next(LegReplaced)
    await control.send_dtmf(OLD, "1")
    assert ari.asked(THROUGH) == []
    assert "[parley-moved] is not in the dialplan" in caplog.text
    assert ari.asked(f"POST {BRIDGE}/addChannel")[-1].body == {"channel": NEW}


async def test_party_without_audio_is_moved_without_a_bridge(
    ari: AriServer, control: AriCallControl, log: EventLog
) -> None:
    ari.variables[IN_DIALPLAN] = "1"
    await ari.offer(OLD, state="Up")
    await log.next(LegOffered)
    await takes_the_place(ari)
    await comes_back(ari)
    await control.send_dtmf(NEW, "1")
    assert ari.asked("POST /bridges/.*") == []


async def test_party_that_hangs_up_on_the_way_has_ended_and_leaves_nothing(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    await takes_the_place(ari)
    assert await asked(ari, THROUGH)
    await ari.hang_up(NEW)
    assert (await log.next(LegEnded)).leg_id == NEW
    with pytest.raises(LegGone):
        await control.answer(OLD)
    assert await asked(ari, f"DELETE {MEDIA}")
    assert await asked(ari, f"DELETE {BRIDGE}")


async def test_party_that_does_not_come_back_from_the_dialplan_has_left_and_leaves_nothing(
    ari: AriServer, connect: Connect
) -> None:
    control = connect(deadline_s=0.2)
    log = EventLog(control)
    await control.start()
    async with asyncio.TaskGroup() as group:
        collecting = group.create_task(log.run())
        ari.variables[IN_DIALPLAN] = "1"
        await ari.offer(OLD, state="Up")
        await log.next(LegOffered)
        await control.attach_audio(OLD, RtpTarget("127.0.0.1", 4000), deaf)
        await takes_the_place(ari)
        assert await asked(ari, THROUGH)
        await ari.send({"type": "StasisEnd", "channel": ari.channels[NEW]})
        assert (await log.next(LegLeft)).leg_id == NEW
        assert await asked(ari, f"DELETE {MEDIA}")
        assert await asked(ari, f"DELETE {BRIDGE}")
        collecting.cancel()


async def comes_back_unseen(ari: AriServer, control: AriCallControl, log: EventLog) -> None:
    """Let the new channel come back from the dialplan while we are cut off, and connect again."""
    ari.variables[IN_DIALPLAN] = "1"
    await ari.offer(OLD, state="Up")
    await log.next(LegOffered)
    await control.attach_audio(OLD, RtpTarget("127.0.0.1", 4000), deaf)
    await takes_the_place(ari)
    assert await asked(ari, THROUGH)
    ari.reply("GET /.*", 503)
    await ari.sockets[-1].close()
    # Longer than a leg is waited for while Asterisk can be asked.
    assert await asked(ari, "GET /channels", count=3)
    ari.channels[NEW]["dialplan"] |= {"context": "parley-moved", "exten": "s", "priority": 2}
    ari.reply("GET /.*", 200, [])
    ari.reply("GET /asterisk/info", 200, {"system": {"version": "22.11.0"}})
    ari.reply("GET /applications/parley", 200, {"name": "parley", "channel_ids": [NEW]})
    ari.reply("GET /channels", 200, [ari.channels[NEW]])
    await log.next(LegReplaced)
    await log.next(PbxConnected)


async def presses(ari: AriServer, log: EventLog, key: str) -> None:
    """Send a key, and wait until it is told: events before it have been taken then."""
    await ari.send({"type": "ChannelDtmfReceived", "digit": key, "duration_ms": 80, "channel": ari.channels[NEW]})
    assert (await log.next(DigitReceived)).digit == key


@pytest.mark.parametrize("answered", [204, 503], ids=["answered", "unanswered"])
@pytest.mark.parametrize(
    "told_late", [(), ("StasisStart",), ("StasisEnd", "StasisStart")], ids=["nothing", "the return", "both ways"]
)
async def test_party_that_came_back_from_the_dialplan_while_we_were_cut_off_is_brought_to_its_place(
    ari: AriServer, connect: Connect, told_late: tuple[str, ...], answered: int
) -> None:
    ari.reply(THROUGH, answered)
    control = connect(deadline_s=0.1)
    await control.start()
    async with recorded(control) as log:
        await comes_back_unseen(ari, control, log)
        for event in told_late:
            await ari.send({"type": event, "args": [], "channel": ari.channels[NEW]})
        assert await asked(ari, f"POST {BRIDGE}/addChannel", count=3)
        await presses(ari, log, "5")
        await control.send_dtmf(NEW, "1")
        assert ari.asked(f"POST {BRIDGE}/addChannel")[-1].body == {"channel": NEW}
        assert not log.about(NEW, [LegLeft, LegEnded, LegOffered])


@pytest.mark.parametrize("asked_in_vain", [0, 2])
async def test_end_that_may_be_older_than_the_return_is_told_once_asterisk_confirms_it(
    ari: AriServer, connect: Connect, asked_in_vain: int
) -> None:
    control = connect(deadline_s=0.1)
    await control.start()
    async with recorded(control) as log:
        await comes_back_unseen(ari, control, log)
        for _ in range(asked_in_vain):
            ari.reply_once("GET /channels", 500, {"message": "no"})
        ari.reply("GET /channels", 200, [channel(NEW, "Up", "support", "Queue")])
        await ari.send({"type": "StasisEnd", "channel": ari.channels[NEW]})
        assert (await log.next(LegLeft)).leg_id == NEW


async def test_end_that_asterisk_contradicts_is_not_told_and_the_next_one_is_asked_about_again(
    ari: AriServer, connect: Connect
) -> None:
    control = connect(deadline_s=0.1)
    await control.start()
    async with recorded(control) as log:
        await comes_back_unseen(ari, control, log)
        asked_before = len(ari.asked("GET /channels"))
        await ari.send({"type": "StasisEnd", "channel": ari.channels[NEW]})
        assert await asked(ari, "GET /channels", count=asked_before + 1)
        await presses(ari, log, "5")
        assert not log.about(NEW, [LegLeft, LegEnded])
        ari.reply("GET /channels", 200, [])
        await ari.send({"type": "StasisEnd", "channel": ari.channels[NEW]})
        assert (await log.next(LegLeft)).leg_id == NEW


@pytest.mark.parametrize("known_by", ["StasisStart", "ChannelHangupRequest"])
async def test_end_that_can_only_be_younger_than_the_return_is_believed_at_once(
    ari: AriServer, connect: Connect, known_by: str
) -> None:
    control = connect(deadline_s=0.1)
    await control.start()
    async with recorded(control) as log:
        await comes_back_unseen(ari, control, log)
        await ari.send(
            {"type": known_by, "args": [], "cause": 16, "channel": ari.channels[NEW]},
            {"type": "StasisEnd", "channel": ari.channels[NEW]},
        )
        # Asterisk would say that the leg is still here.
        told = await log.next(LegLeft) if known_by == "StasisStart" else await log.next(LegEnded)
        assert told.leg_id == NEW


async def test_party_that_has_not_gone_through_the_dialplan_when_we_are_back_is_not_taken_for_moved(
    ari: AriServer, connect: Connect
) -> None:
    control = connect(deadline_s=0.2)
    await control.start()
    async with recorded(control) as log:
        ari.variables[IN_DIALPLAN] = "1"
        await ari.offer(OLD, state="Up")
        await log.next(LegOffered)
        await takes_the_place(ari)
        assert await asked(ari, THROUGH)
        await ari.sockets[-1].close()
        assert (await log.next(LegLeft)).leg_id == NEW


@pytest.mark.parametrize("status", [404, 409, 412, 500])
@pytest.mark.parametrize(
    "refused",
    [f"POST /channels/{NEW}/variable", THROUGH, f"POST {BRIDGE}/addChannel"],
    ids=["variable", "continue", "seat"],
)
async def test_party_whose_move_is_refused_is_left_to_its_timer_and_leaves_nothing(
    ari: AriServer, connect: Connect, refused: str, status: int
) -> None:
    control = connect(dead_man_s=60)
    await control.start()
    ari.variables[IN_DIALPLAN] = "1"
    await ari.offer(OLD, state="Up")
    assert await asked(ari, f"POST /channels/{OLD}/variable")
    await control.attach_audio(OLD, RtpTarget("127.0.0.1", 4000), deaf)
    ari.reply(refused, status, {"message": "no"})
    await takes_the_place(ari)
    if "addChannel" in refused:
        await comes_back(ari)
    assert await asked(ari, f"DELETE {MEDIA}")
    assert await asked(ari, f"DELETE {BRIDGE}")

    async def timed_again() -> bool:
        timers = [r for r in ari.asked(f"POST /channels/{NEW}/variable") if r.body["variable"] == "TIMEOUT(absolute)"]
        return len(timers) >= 2

    assert await until(timed_again)


async def test_party_that_still_rings_is_a_hold_and_goes_through_the_dialplan_once_it_answers(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    await takes_the_place(ari, "Down")
    assert (await log.next(LegReplaced)).leg.state is LegState.RINGING
    assert (await log.next(LegHeld)).leg_id == NEW
    assert ari.asked(THROUGH) == []
    ari.channels[NEW]["state"] = "Up"
    await ari.send({"type": "ChannelStateChange", "channel": ari.channels[NEW]})
    assert (await log.next(LegRetrieved)).leg_id == NEW
    await comes_back(ari)
    await control.send_dtmf(NEW, "1")


async def test_party_that_answers_while_we_are_cut_off_is_brought_to_its_place(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    await takes_the_place(ari, "Down")
    await log.next(LegHeld)
    ari.channels[NEW]["state"] = "Up"
    await ari.sockets[-1].close()
    assert (await log.next(LegRetrieved)).leg_id == NEW
    await comes_back(ari)
    await control.send_dtmf(NEW, "1")
    assert ari.asked(f"POST {BRIDGE}/addChannel")[-1].body == {"channel": NEW}


async def test_party_that_gives_up_ringing_while_we_are_cut_off_leaves_nothing(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    await takes_the_place(ari, "Down")
    await log.next(LegHeld)
    del ari.channels[NEW]
    ari.subscribed.discard(NEW)
    await ari.sockets[-1].close()
    assert (await log.next(LegEnded)).leg_id == NEW
    assert await asked(ari, f"DELETE {MEDIA}")
    assert NEW not in control._moves._ringing


async def test_old_party_is_hung_up_although_the_new_one_still_rings(ari: AriServer, connect: Connect) -> None:
    control = connect()
    control._moves._dismiss_s = 0.01
    await control.start()
    await ari.offer(OLD, state="Up")
    await takes_the_place(ari, "Down")
    assert await asked(ari, f"DELETE /channels/{OLD}")
    assert ari.asked(THROUGH) == []


async def test_party_that_never_answers_ends_and_leaves_nothing(
    ari: AriServer, control: AriCallControl, log: EventLog, old: LegId
) -> None:
    await takes_the_place(ari, "Down")
    await log.next(LegHeld)
    await ari.hang_up(NEW, cause=17)
    assert await log.next(LegEnded) == LegEnded(NEW, HangupCause.USER_BUSY)
    assert await asked(ari, f"DELETE {MEDIA}")
    assert await asked(ari, f"DELETE {BRIDGE}")
