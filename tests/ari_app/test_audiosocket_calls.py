"""Legs in AudioSocket() against a scripted AMI: offered, given back, hung up, lost, and their dead-man timers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ari_app import audiosocket_calls
from ari_app.ami import AmiClient
from ari_app.ami.client import PING_S, PONG_WITHIN_S
from ari_app.audiosocket_calls import AudioSocketCallControl
from ari_app.backoff import Backoff
from ari_app.dead_man import DEAD_MAN_S, DEADLINES_PER_LENGTH, RENEWALS_PER_LENGTH
from ari_app.event_queue import EventQueue
from parley.call_control import (
    AudioPeer,
    AudioSocketPeer,
    AudioSocketTarget,
    CallControl,
    DialplanTarget,
    HangupCause,
    InvalidRequest,
    LegEnded,
    LegGone,
    LegHeld,
    LegId,
    LegLeft,
    LegOffered,
    LegRetrieved,
    LegState,
    OriginateRequest,
    PbxRefused,
    PbxUnavailable,
    QueueJoined,
    RtpTarget,
    SipTarget,
)
from tests.ari_app.ami_server import SECRET, USERNAME, AmiServer, ami_server
from tests.contract.benches import EventLog, listening, until

LEG = LegId("1795580736.0")
TICKET = "1ada6043-f88d-42e0-99ed-bc289cf51513"
STATUS = f"""
Event: Status
Privilege: Call
Channel: PJSIP/trunk-00000000
ChannelState: 6
CallerIDNum: +15551234
CallerIDName: Evil \\\\\\",) ${{SHELL(id)}}
Uniqueid: {LEG}
Linkedid: 1795580730.7
DNID: 960
Application: AudioSocket
Data: {TICKET},127.0.0.1:9092
ActionID: {{id}}
"""
START = "Response: Success\nActionID: {id}\nEventList: start\nMessage: Channel status will follow"
COMPLETE = "Event: StatusComplete\nActionID: {id}\nEventList: Complete\nItems: 1"
GONE = "Response: Error\nActionID: {id}\nMessage: No such channel"


class Connections:
    """How often a leg's connection was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Stage:
    """An adapter with the AMI behind it."""

    def __init__(self, ami: AmiServer, client: AmiClient, control: AudioSocketCallControl, log: EventLog) -> None:
        self.ami = ami
        self.client = client
        self.control = control
        self.log = log
        self.connection = Connections()

    async def offer(self, *arguments: str) -> LegId:
        return await self.control.offer(LEG, TICKET, arguments, self.connection.close)

    def variables(self) -> dict[str, str]:
        """Return what was set on the channel, in order; the timer's last value counts."""
        found = {}
        for lines in self.ami.asked("Setvar"):
            headers = dict(line.split(": ", 1) for line in lines if ": " in line)
            found[headers["Variable"]] = headers.get("Value", "")
        return found


@asynccontextmanager
async def staged(dead_man_s: float = 0.0) -> AsyncIterator[Stage]:
    async with ami_server() as ami:
        ami.answer("Status", START, STATUS, COMPLETE)
        waits = Backoff(first_s=0.001, cap_s=0.001)
        client = AmiClient("127.0.0.1", ami.port, USERNAME, SECRET, backoff=waits)
        control = AudioSocketCallControl(client, dead_man_s=dead_man_s)
        connecting = asyncio.create_task(client.run())
        renewing = asyncio.create_task(control.run())

        async def connected() -> bool:
            return client.connected

        assert await until(connected)
        async with listening(control) as log:
            yield Stage(ami, client, control, log)
        renewing.cancel()
        await client.aclose()
        await asyncio.wait([connecting, renewing])


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


async def test_leg_is_offered_answered_with_what_asterisk_knows_of_it(stage: Stage) -> None:
    await stage.offer("agent=reception", "store=berlin")
    leg = (await stage.log.next(LegOffered)).leg
    assert (leg.id, leg.call_id, leg.state) == (LEG, "1795580730.7", LegState.ANSWERED)
    assert (leg.ani, leg.dnis, leg.arguments) == ("+15551234", "960", ("agent=reception", "store=berlin"))
    assert leg.ani_name == 'Evil \\",) ${SHELL(id)}'
    assert leg.connection_id == TICKET
    assert TICKET not in repr(leg)
    assert await stage.control.legs() == [leg]


@pytest.mark.parametrize(
    "elsewhere",
    [
        STATUS.replace("Application: AudioSocket", "Application: Queue"),
        STATUS.replace(TICKET, "2ada6043-f88d-42e0-99ed-bc289cf51513"),
        STATUS.replace(f"Data: {TICKET},127.0.0.1:9092\n", ""),
    ],
)
async def test_channel_that_does_not_hold_the_ticket_is_not_taken(stage: Stage, elsewhere: str) -> None:
    """Whoever may ask for tickets must not get hold of other people's channels."""
    stage.ami.answer("Status", START, elsewhere, COMPLETE)
    with pytest.raises(PbxRefused, match="not in AudioSocket"):
        await stage.offer("agent=reception")
    assert await stage.control.legs() == []


async def test_channel_that_is_gone_or_cannot_be_one_is_not_taken(stage: Stage) -> None:
    stage.ami.answer("Status", GONE)
    with pytest.raises(LegGone):
        await stage.offer()
    with pytest.raises(InvalidRequest):
        await stage.control.offer("a b\r\nAction: Logoff", TICKET, (), stage.connection.close)


async def test_leg_whose_offer_does_not_fit_into_the_event_queue_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody would serve it, and its timer would be renewed: silence for ever."""
    monkeypatch.setattr(audiosocket_calls, "EventQueue", lambda: EventQueue(maxsize=0))
    async with staged(dead_man_s=3600.0) as stage:
        with pytest.raises(PbxUnavailable, match="events"):
            await stage.offer("agent=reception")
        assert await stage.control.legs() == []
        for _ in range(3):
            await stage.client.request("Ping")
        assert timers(stage) == []
        assert stage.log.seen == []


async def test_leg_goes_on_once_its_variables_are_set(stage: Stage) -> None:
    await stage.offer()
    await stage.control.continue_in_dialplan(LEG, {"PARLEY_STATUS": "TRANSFER", "PARLEY_SUMMARY": 'a\r\nb, "c"'})
    assert (await stage.log.next(LegLeft)).leg_id == LEG
    assert stage.variables() == {"PARLEY_STATUS": "TRANSFER", "PARLEY_SUMMARY": 'a b, "c"', "TIMEOUT(absolute)": "0"}
    assert stage.connection.closed == 1
    with pytest.raises(LegGone):
        await stage.control.continue_in_dialplan(LEG, {})


async def test_status_is_set_when_all_other_results_are_there(stage: Stage) -> None:
    """The dialplan may go on at any moment, and believes the status."""
    await stage.offer()
    await stage.control.continue_in_dialplan(
        LEG, {"PARLEY_STATUS": "TRANSFER", "PARLEY_SUMMARY": "a", "PARLEY_TRANSFER_TO": "b"}
    )
    results = [name for name in stage.variables() if name.startswith("PARLEY_")]
    assert results == ["PARLEY_SUMMARY", "PARLEY_TRANSFER_TO", "PARLEY_STATUS"]


async def test_value_too_long_for_ami_is_cut_between_two_characters(stage: Stage) -> None:
    await stage.offer()
    await stage.control.continue_in_dialplan(LEG, {"PARLEY_SUMMARY": "张" * 500})
    assert stage.variables()["PARLEY_SUMMARY"] == "张" * 331


async def test_leg_that_cannot_be_given_its_variables_is_let_go_all_the_same(stage: Stage) -> None:
    """The dialplan then finds no status, and takes the caller to the site's fallback."""
    await stage.offer()
    await stage.ami.stop()
    with pytest.raises(PbxUnavailable):
        await stage.control.continue_in_dialplan(LEG, {"PARLEY_STATUS": "SERVED"})
    await stage.log.next(LegLeft)
    assert stage.connection.closed == 1


async def test_hang_up_gives_variables_and_cause_and_the_end_is_told_by_asterisk(stage: Stage) -> None:
    await stage.offer()
    await stage.control.hangup(LEG, HangupCause.USER_BUSY, {"PARLEY_STATUS": "SERVED"})
    assert stage.variables() == {"PARLEY_STATUS": "SERVED"}
    assert {"Cause: 17", f"Channel: {LEG}"} <= set(stage.ami.asked("Hangup")[0])
    stage.ami.event("Hangup", Uniqueid=LEG, Linkedid=LEG, Cause="16")
    assert await stage.log.next(LegEnded) == LegEnded(LEG, HangupCause.USER_BUSY)


async def test_leg_that_cannot_be_hung_up_goes_on_in_the_dialplan(stage: Stage) -> None:
    await stage.offer()
    stage.ami.answer("Hangup", "Response: Error\nActionID: {id}\nMessage: Permission denied")
    with pytest.raises(PbxRefused, match="write"):
        await stage.control.hangup(LEG)
    await stage.log.next(LegLeft)
    assert stage.connection.closed == 1


@pytest.mark.parametrize(("told", "cause"), [("0", 16), ("16", 16), ("19", 19), ("", 16), ("999", 0), ("x", 16)])
async def test_caller_s_end_comes_from_asterisk(stage: Stage, told: str, cause: int) -> None:
    await stage.offer()
    stage.ami.event("Hangup", Uniqueid="another", Cause="21")
    stage.ami.event("Hangup", Uniqueid=LEG, Cause=told)
    assert await stage.log.next(LegEnded) == LegEnded(LEG, HangupCause(cause))
    assert stage.connection.closed == 1
    with pytest.raises(LegGone):
        await stage.control.answer(LEG)


async def test_caller_s_hold_and_return_are_told(stage: Stage) -> None:
    await stage.offer()
    for name in ("Hold", "Unhold"):
        stage.ami.event(name, Uniqueid="another", Linkedid="another")
        stage.ami.event(name, Uniqueid=LEG, Linkedid=LEG)
    assert await stage.log.next(LegHeld) == LegHeld(LEG)
    assert await stage.log.next(LegRetrieved) == LegRetrieved(LEG)


def is_elsewhere(stage: Stage, timer: str = "9.932") -> None:
    """Let the channel be in another application, with so much time on its timer: Asterisk tells milliseconds."""
    stage.ami.answer("Status", START, STATUS.replace("Application: AudioSocket", "Application: Echo"), COMPLETE)
    stage.ami.answer("Getvar", f"Response: Success\nActionID: {{id}}\nVariable: TIMEOUT(absolute)\nValue: {timer}")


async def test_leg_that_an_operator_redirects_has_left_and_its_timer_is_stopped() -> None:
    async with staged(dead_man_s=10.0) as stage:
        await stage.offer()
        is_elsewhere(stage)
        await stage.control.disconnected(LEG)
        assert await stage.log.next(LegLeft) == LegLeft(LEG)
        assert stage.variables() == {"TIMEOUT(absolute)": "0"}
        assert stage.connection.closed == 1
        with pytest.raises(LegGone):
            await stage.control.hangup(LEG)
        assert stage.ami.asked("Hangup") == []
        await stage.control.disconnected(LEG)


@pytest.mark.parametrize("timer", ["0", "3599.875", "10.001", "", "-1", "nan"])
async def test_timer_that_the_site_has_set_where_the_leg_was_redirected_to_is_left_alone(timer: str) -> None:
    async with staged(dead_man_s=10.0) as stage:
        await stage.offer()
        assert await stage.ami.was_asked("Setvar")
        is_elsewhere(stage, timer)
        await stage.control.disconnected(LEG)
        assert stage.variables() == {"TIMEOUT(absolute)": "10"}


async def test_leg_that_is_redirected_just_before_we_hang_it_up_is_not_hung_up(stage: Stage) -> None:
    await stage.offer()
    is_elsewhere(stage)
    noticing = asyncio.create_task(stage.control.disconnected(LEG))
    await asyncio.sleep(0)
    for command in (
        stage.control.hangup(LEG),
        stage.control.continue_in_dialplan(LEG, {"PARLEY_STATUS": "SERVED"}),
        stage.control.transfer(LEG, DialplanTarget("sales", "100")),
    ):
        with pytest.raises(LegGone):
            await command
    await noticing
    assert stage.ami.asked("Hangup") + stage.ami.asked("Redirect") == []
    assert "PARLEY_STATUS" not in stage.variables()


async def test_leg_that_hangs_up_ends_as_asterisk_says_though_its_connection_ends_first(stage: Stage) -> None:
    await stage.offer()
    stage.ami.event("HangupRequest", Uniqueid=LEG, Cause="16")
    noticing = asyncio.create_task(stage.control.disconnected(LEG))
    stage.ami.event("Hangup", Uniqueid=LEG, Cause="19")
    assert await stage.log.next(LegEnded) == LegEnded(LEG, HangupCause.NO_ANSWER)
    await noticing
    assert len(stage.ami.asked("Status")) == 1
    assert not [event for event in stage.log.seen if isinstance(event, LegLeft)]


@pytest.mark.parametrize("by_us", [True, False])
async def test_leg_that_is_hung_up_is_not_taken_for_a_redirected_one_while_the_dialplan_s_handlers_run(
    stage: Stage, by_us: bool
) -> None:
    await stage.offer()
    is_elsewhere(stage)
    if by_us:
        await stage.control.hangup(LEG, HangupCause.USER_BUSY)
    else:
        stage.ami.event("SoftHangupRequest", Uniqueid=LEG, Cause="17")
    await stage.control.disconnected(LEG)
    stage.ami.event("Hangup", Uniqueid=LEG, Cause="17")
    assert await stage.log.next(LegEnded) == LegEnded(LEG, HangupCause.USER_BUSY)
    assert not [event for event in stage.log.seen if isinstance(event, LegLeft)]


async def test_leg_whose_connection_we_ended_ourselves_is_still_given_back(stage: Stage) -> None:
    """Asterisk sent what is no AudioSocket message, say: the channel is where it was."""
    await stage.offer()
    await stage.control.disconnected(LEG)
    await stage.control.continue_in_dialplan(LEG, {"PARLEY_STATUS": "FAILED"})
    assert stage.variables()["PARLEY_STATUS"] == "FAILED"


async def test_leg_found_gone_by_a_command_has_ended(stage: Stage) -> None:
    await stage.offer()
    stage.ami.answer("Setvar", GONE)
    with pytest.raises(LegGone):
        await stage.control.continue_in_dialplan(LEG, {"PARLEY_STATUS": "SERVED"})
    assert await stage.log.next(LegEnded) == LegEnded(LEG, HangupCause.UNKNOWN)
    assert not [event for event in stage.log.seen if isinstance(event, LegLeft)]


async def test_transfer_goes_to_a_place_in_the_dialplan_only(stage: Stage) -> None:
    await stage.offer()
    with pytest.raises(PbxRefused, match="SIP address"):
        await stage.control.transfer(LEG, SipTarget("sip:1@example.com"))
    await stage.control.transfer(LEG, DialplanTarget("sales", "100"))
    assert {"Context: sales", "Exten: 100", "Priority: 1"} <= set(stage.ami.asked("Redirect")[0])
    assert stage.variables() == {"TIMEOUT(absolute)": "0"}
    await stage.log.next(LegLeft)


async def test_audio_is_the_connection_that_the_leg_has_come_with(stage: Stage) -> None:
    connected: list[AudioPeer] = []

    async def connect(peer: AudioPeer) -> None:
        connected.append(peer)

    await stage.offer()
    await stage.control.attach_audio(LEG, AudioSocketTarget("127.0.0.1", 9092, TICKET), connect)
    assert [peer.connection_id for peer in connected if isinstance(peer, AudioSocketPeer)] == [TICKET]
    for other in (RtpTarget("127.0.0.1", 9), AudioSocketTarget("127.0.0.1", 9092, "another")):
        with pytest.raises(PbxRefused, match="and no other"):
            await stage.control.attach_audio(LEG, other, connect)
    assert len(connected) == 1


async def test_keys_are_sent_one_by_one(stage: Stage) -> None:
    await stage.offer()
    await stage.control.send_dtmf(LEG, "4#")
    assert [line for lines in stage.ami.asked("PlayDTMF") for line in lines if "Digit" in line] == [
        "Digit: 4",
        "Digit: #",
    ]
    with pytest.raises(InvalidRequest):
        await stage.control.send_dtmf(LEG, "x")


@pytest.mark.parametrize(
    "command",
    [
        lambda control: control.hold(LEG, True),
        lambda control: control.join(LEG, LegId("other")),
        lambda control: control.originate(OriginateRequest("PJSIP/agent1")),
    ],
)
async def test_what_audiosocket_cannot_do_is_refused(stage: Stage, command: Callable[[CallControl], object]) -> None:
    await stage.offer()
    with pytest.raises(PbxRefused, match=r"use Stasis\(\)"):
        await command(stage.control)  # type: ignore[misc]


async def test_leg_that_has_left_is_followed_into_queues(stage: Stage) -> None:
    await stage.offer()
    await stage.control.continue_in_dialplan(LEG, {})
    stage.ami.event("QueueCallerJoin", Uniqueid=LEG, Linkedid=LEG, Queue="support", Position="1")
    assert (await stage.log.next(QueueJoined)).leg_id == LEG


async def test_closing_lets_go_of_every_leg(stage: Stage) -> None:
    await stage.offer()
    await stage.control.aclose()
    await stage.control.aclose()
    await stage.log.finished.wait()
    assert stage.connection.closed == 1


def timers(stage: Stage) -> list[str]:
    """Return every value that the leg's timer was given."""
    asked = stage.ami.asked("Setvar")
    return [line for lines in asked if "Variable: TIMEOUT(absolute)" in lines for line in lines if "Value" in line]


async def test_dead_man_timer_is_started_at_once_and_renewed() -> None:
    async with staged(dead_man_s=0.03) as stage:
        await stage.offer()

        async def renewed() -> bool:
            return len(timers(stage)) >= 3

        assert await until(renewed)
        assert set(timers(stage)) == {"Value: 0.03"}


async def test_dead_man_timer_is_not_started_again_once_the_leg_leaves() -> None:
    async with staged(dead_man_s=0.003) as stage:
        await stage.offer()
        stage.ami.never_answer("Setvar")
        leaving = asyncio.create_task(stage.control.transfer(LEG, DialplanTarget("sales", "100")))

        async def stopped() -> bool:
            return "Value: 0" in timers(stage)

        assert await until(stopped)
        before = len(timers(stage))
        for _ in range(100):  # a renewal would be due every millisecond
            await stage.client.request("Ping")
        assert len(timers(stage)) == before
        leaving.cancel()
        await asyncio.wait([leaving])


async def test_renewal_that_stalls_does_not_keep_the_next_ones_waiting() -> None:
    async with staged(dead_man_s=0.06) as stage:
        stage.ami.never_answer("Setvar")
        await stage.offer()

        async def asked_again() -> bool:
            return len(timers(stage)) >= 3

        assert await until(asked_again, timeout_s=2.0)


async def test_timer_of_a_new_leg_does_not_wait_for_the_answers_about_others() -> None:
    another = LegId("1795580736.8")
    async with staged(dead_man_s=3600.0) as stage:
        stage.ami.never_answer("Setvar")
        await stage.offer()
        assert await stage.ami.was_asked("Setvar")
        stage.ami.answer("Status", START, STATUS.replace(LEG, another), COMPLETE)
        await stage.control.offer(another, TICKET, (), stage.connection.close)
        assert await stage.ami.was_asked("Setvar", 2)
        first, second = stage.ami.asked("Setvar")
        assert f"Channel: {LEG}" in first
        assert f"Channel: {another}" in second


def test_dead_ami_connection_is_noticed_in_half_the_time_that_a_caller_may_be_in_silence() -> None:
    """In the other half there is a new connection, and the timers are renewed."""
    assert PING_S + PONG_WITHIN_S <= DEAD_MAN_S / 2
    assert DEAD_MAN_S / DEADLINES_PER_LENGTH < DEAD_MAN_S / RENEWALS_PER_LENGTH


async def test_timers_are_renewed_as_soon_as_ami_is_back_and_legs_that_ended_meanwhile_are_found() -> None:
    async with staged(dead_man_s=3600.0) as stage:
        await stage.offer()
        assert await stage.ami.was_asked("Setvar")
        stage.ami.answer("Setvar", GONE)
        stage.ami.drop()
        assert await stage.log.next(LegEnded) == LegEnded(LEG, HangupCause.UNKNOWN)


async def lost_during_an_outage(stage: Stage) -> None:
    """Let AMI be away while the leg's connection ends and its call gives it back in vain."""
    await stage.offer()
    assert await stage.ami.was_asked("Setvar")
    await stage.ami.stop()

    async def noticed() -> bool:
        return not stage.client.connected

    assert await until(noticed)
    await stage.control.disconnected(LEG)
    with pytest.raises(PbxUnavailable):
        await stage.control.continue_in_dialplan(LEG, {"PARLEY_STATUS": "FAILED"})
    assert len(await stage.control.legs()) == 1


@pytest.mark.parametrize(("timer", "set_to"), [("0", []), ("9.932", ["Value: 0"]), ("3599.875", [])])
async def test_leg_that_went_on_in_the_dialplan_while_ami_was_away_gets_no_timer_when_it_is_back(
    timer: str, set_to: list[str]
) -> None:
    """It may be waiting in a queue by then: the timer would end its call there when we end."""
    async with staged(dead_man_s=10.0) as stage:
        await lost_during_an_outage(stage)
        is_elsewhere(stage, timer)
        await stage.ami.listen()
        assert await stage.log.next(LegLeft) == LegLeft(LEG)
        assert await stage.ami.was_asked("Getvar")
        for _ in range(3):
            await stage.client.request("Ping")
        assert timers(stage) == ["Value: 10", *set_to]
        assert await stage.control.legs() == []
        assert stage.connection.closed == 1


async def test_leg_that_ended_while_ami_was_away_is_found_though_somebody_was_about_to_hang_it_up() -> None:
    async with staged(dead_man_s=3600.0) as stage:
        await stage.offer()
        await stage.control.hangup(LEG, HangupCause.USER_BUSY)
        await stage.control.disconnected(LEG)
        stage.ami.answer("Status", GONE)
        stage.ami.answer("Setvar", GONE)
        stage.ami.drop()
        assert await stage.log.next(LegEnded) == LegEnded(LEG, HangupCause.USER_BUSY)


async def test_timer_of_a_leg_without_a_connection_is_not_renewed() -> None:
    """Nobody serves it: if the dialplan does not go on, the timer takes it to the fallback."""
    async with staged(dead_man_s=0.06) as stage:
        await stage.offer()
        assert await stage.ami.was_asked("Setvar")
        await stage.control.disconnected(LEG)
        before = len(timers(stage))
        asked = len(stage.ami.asked("Status"))
        assert await stage.ami.was_asked("Status", asked + 3)
        assert len(timers(stage)) == before
