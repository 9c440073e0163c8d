"""Legs that cannot be sent away: asked again within reason, then given to the dead-man timer, never kept in silence."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ari_app import AriCallControl
from parley.call_control import (
    CallControlError,
    DialplanTarget,
    InvalidRequest,
    LegGone,
    LegId,
    PbxRefused,
    PbxUnavailable,
    SipTarget,
)
from tests.ari_app.ari_server import AriServer
from tests.ari_app.conftest import Connect, asked
from tests.contract.benches import until

LEG, OTHER = LegId("1.1"), LegId("1.2")
TIMER = f"POST /channels/{LEG}/variable"
CONTINUE = f"POST /channels/{LEG}/continue"
HANG_UP = f"DELETE /channels/{LEG}"
REFUSAL = {"message": "Internal Server Error"}

Command = Callable[[AriCallControl], Coroutine[Any, Any, None]]

WAYS_OUT = pytest.mark.parametrize(
    ("request_pattern", "command"),
    [
        (CONTINUE, lambda control: control.continue_in_dialplan(LEG, {})),
        (CONTINUE, lambda control: control.transfer(LEG, DialplanTarget("queues", "support"))),
        (f"POST /channels/{LEG}/redirect", lambda control: control.transfer(LEG, SipTarget("sip:999@192.0.2.1"))),
        (HANG_UP, lambda control: control.hangup(LEG)),
    ],
    ids=["continue", "place", "redirect", "hangup"],
)


async def timed(ari: AriServer, connect: Connect, dead_man_s: float = 60, deadline_s: float = 2.0) -> AriCallControl:
    """Connect an adapter and hand it a leg, whose timer then runs."""
    control = connect(dead_man_s=dead_man_s, deadline_s=deadline_s)
    await control.start()
    await ari.offer(LEG, state="Up")
    assert await asked(ari, TIMER)
    return control


def timer_values(ari: AriServer) -> list[str]:
    """Return what the leg's timer was set to."""
    return [r.body["value"] for r in ari.asked(TIMER) if r.body["variable"] == "TIMEOUT(absolute)"]


@WAYS_OUT
async def test_leg_that_cannot_be_sent_away_is_timed_a_last_time_and_renewed_no_more(
    ari: AriServer, connect: Connect, request_pattern: str, command: Command
) -> None:
    control = await timed(ari, connect, dead_man_s=0.6)
    await ari.offer(OTHER)
    ari.reply(request_pattern, 500, REFUSAL)
    before = len(timer_values(ari))
    with pytest.raises(PbxRefused):
        await command(control)
    others = len(ari.asked(f"POST /channels/{OTHER}/variable"))
    assert await asked(ari, f"POST /channels/{OTHER}/variable", count=others + 4)
    assert timer_values(ari)[-1] == "0.6"
    # Besides the last start: the 0 before it, and a renewal that may have been due meanwhile.
    assert len(timer_values(ari)) - before <= 3


async def test_later_command_takes_the_leg_back_from_its_timer(ari: AriServer, connect: Connect) -> None:
    control = await timed(ari, connect, dead_man_s=0.6)
    ari.reply(CONTINUE, 500, REFUSAL)
    with pytest.raises(PbxRefused):
        await control.continue_in_dialplan(LEG, {})
    ari.reply(f"POST /channels/{LEG}/moh", 500, REFUSAL)
    with pytest.raises(PbxRefused):
        await control.hold(LEG, music=True)
    given_up = len(timer_values(ari))
    await control.send_dtmf(LEG, "1")
    assert await asked(ari, TIMER, count=given_up + 4)


@WAYS_OUT
async def test_leg_whose_sending_away_is_cancelled_goes_to_its_timer(
    ari: AriServer, connect: Connect, request_pattern: str, command: Command
) -> None:
    control = await timed(ari, connect)
    ari.stall(request_pattern)
    leaving = asyncio.create_task(command(control))
    assert await asked(ari, request_pattern)
    armed = len(timer_values(ari))
    leaving.cancel()
    assert await asked(ari, TIMER, count=armed + 1)
    assert timer_values(ari)[-1] == "60"


async def test_closing_leaves_no_leg_without_its_timer(ari: AriServer, connect: Connect) -> None:
    control = await timed(ari, connect)
    ari.stall(CONTINUE)
    leaving = asyncio.create_task(control.continue_in_dialplan(LEG, {}))
    assert await asked(ari, CONTINUE)
    leaving.cancel()
    await asyncio.wait([leaving])
    await control.aclose()
    assert timer_values(ari) in (["60", "0", "60"], ["60", "0", "60", "60"])


@pytest.mark.parametrize(
    ("request_pattern", "command"),
    [
        (TIMER, lambda control: control.continue_in_dialplan(LEG, {"PARLEY_X": "1"})),
        (CONTINUE, lambda control: control.continue_in_dialplan(LEG, {"PARLEY_X": "1"})),
        (HANG_UP, lambda control: control.hangup(LEG, variables={"PARLEY_X": "1"})),
    ],
    ids=["variable", "continue", "hangup"],
)
async def test_request_that_asterisk_was_too_busy_for_is_made_again(
    ari: AriServer, connect: Connect, request_pattern: str, command: Command
) -> None:
    control = await timed(ari, connect)
    for _ in range(2):
        ari.reply_once(request_pattern, 503)
    await command(control)
    assert str(ari.requests[-1]) in {CONTINUE, HANG_UP}
    assert timer_values(ari)[-1] == ("60" if request_pattern == HANG_UP else "0")


async def test_attempts_come_to_an_end(ari: AriServer, connect: Connect) -> None:
    control = await timed(ari, connect, deadline_s=0.2)
    ari.stall(CONTINUE)
    with pytest.raises(PbxUnavailable):
        await control.continue_in_dialplan(LEG, {})
    assert len(ari.asked(CONTINUE)) == 3
    assert await asked(ari, TIMER, count=3)
    assert timer_values(ari) == ["60", "0", "60"]


@pytest.mark.parametrize("status", [404, 409, 412])
async def test_attempt_that_was_carried_out_without_an_answer_is_success(
    ari: AriServer, connect: Connect, status: int
) -> None:
    control = await timed(ari, connect)
    ari.reply_once(CONTINUE, 503)
    ari.reply_once(CONTINUE, status, {"message": "Channel not in Stasis application"})
    await control.continue_in_dialplan(LEG, {})
    assert len(ari.asked(CONTINUE)) == 2


async def test_leg_that_is_gone_at_the_first_attempt_is_said_to_be_gone(ari: AriServer, connect: Connect) -> None:
    control = await timed(ari, connect)
    ari.reply(CONTINUE, 409, {"message": "Channel not in Stasis application"})
    with pytest.raises(LegGone):
        await control.continue_in_dialplan(LEG, {})


@pytest.mark.parametrize(
    "command",
    [
        lambda control: control.continue_in_dialplan(LEG, {"PARLEY_OK": "1", "not ok": "2"}),
        lambda control: control.hangup(LEG, variables={"PARLEY_OK": "1", "not ok": "2"}),
        lambda control: control.transfer(LEG, DialplanTarget("a context", "1")),
        lambda control: control.transfer(LEG, SipTarget("mailto:x")),
    ],
    ids=["continue", "hangup", "place", "redirect"],
)
async def test_request_that_no_pbx_could_carry_out_touches_neither_leg_nor_timer(
    ari: AriServer, connect: Connect, command: Command
) -> None:
    control = await timed(ari, connect)
    asked_before = len(ari.requests)
    with pytest.raises(InvalidRequest):
        await command(control)
    await control.legs()
    assert [str(request) for request in ari.requests[asked_before:]] == ["GET /applications/parley", "GET /channels"]


async def test_variables_are_set_while_the_timer_still_runs(ari: AriServer, connect: Connect) -> None:
    control = await timed(ari, connect)
    await control.continue_in_dialplan(LEG, {"PARLEY_X": "1"})
    names = [request.body.get("variable", "") for request in ari.requests[-3:]]
    assert names == ["PARLEY_X", "TIMEOUT(absolute)", ""]


async def test_refused_variable_does_not_keep_a_leg_from_being_hung_up(ari: AriServer, connect: Connect) -> None:
    control = await timed(ari, connect)
    ari.reply(TIMER, 409, {"message": "Channel not in Stasis application"})
    await control.hangup(LEG, variables={"PARLEY_X": "1"})
    assert str(ari.requests[-1]) == HANG_UP


async def test_refused_variable_leaves_the_timer_running(ari: AriServer, connect: Connect) -> None:
    control = await timed(ari, connect)
    ari.reply_once(TIMER, 500, REFUSAL)
    with pytest.raises(CallControlError):
        await control.continue_in_dialplan(LEG, {"PARLEY_X": "1"})
    assert await asked(ari, TIMER, count=3)
    assert "0" not in timer_values(ari)


async def test_variables_travel_in_one_request_where_asterisk_has_it(ari: AriServer, connect: Connect) -> None:
    ari.version = "22.10.1"
    control = await timed(ari, connect)
    await control.continue_in_dialplan(LEG, {"PARLEY_X": "1", "PARLEY_Y": "a, b"})
    [together] = ari.asked(f"POST /channels/{LEG}/variables")
    assert together.body == {"variables": {"PARLEY_X": "1", "PARLEY_Y": "a, b"}}
    assert timer_values(ari) == ["60", "0"]
    assert ari.asked(CONTINUE)


async def test_offer_that_is_sent_on_at_once_costs_no_request_about_its_timer(ari: AriServer, connect: Connect) -> None:
    control = connect(dead_man_s=60)
    await control.start()
    await ari.offer(LEG)
    assert await until(lambda: is_ours(control, LEG))
    await control.continue_in_dialplan(LEG, {"PARLEY_STATUS": "BUSY"})
    await ari.offer(OTHER)
    # Its grace ends after the first one's.
    assert await asked(ari, f"POST /channels/{OTHER}/variable")
    assert timer_values(ari) == []


async def test_timer_of_the_dialplans_own_is_stopped_before_a_leg_is_sent_elsewhere(
    ari: AriServer, connect: Connect
) -> None:
    control = connect(dead_man_s=60)
    await control.start()
    await ari.offer(LEG)
    assert await until(lambda: is_ours(control, LEG))
    await control.transfer(LEG, DialplanTarget("queues", "support"))
    assert timer_values(ari) == ["0"]


async def is_ours(control: AriCallControl, leg_id: LegId) -> bool:
    return leg_id in [leg.id for leg in await control.legs()]
