"""Legs that somebody else takes out of our application do not carry their dead-man timers along."""

import pytest

from ari_app import AriCallControl
from parley.call_control import LegId
from tests.ari_app.ari_server import AriServer
from tests.ari_app.conftest import Connect, asked
from tests.contract.benches import until

LEG, OTHER = LegId("1.1"), LegId("1.2")
STOPS_TIMER = r"POST /channels/parley-timer\.parley\.[0-9a-f]+"


async def offered(ari: AriServer, connect: Connect, dead_man_s: float = 60) -> AriCallControl:
    """Connect an adapter and hand it a leg."""
    control = connect(dead_man_s=dead_man_s)
    await control.start()
    await ari.offer(LEG, state="Up")

    async def known() -> bool:
        return bool(await control.legs())

    assert await until(known)
    return control


async def taken(ari: AriServer, leg_id: LegId) -> None:
    """Let the PBX take a leg elsewhere."""
    ari.subscribed.discard(leg_id)
    await ari.send({"type": "StasisEnd", "channel": ari.channels[leg_id]})


async def test_timer_of_a_leg_that_somebody_redirects_is_stopped_by_the_dialplan(
    ari: AriServer, connect: Connect
) -> None:
    await offered(ari, connect)
    await taken(ari, LEG)
    assert await asked(ari, STOPS_TIMER)
    [request] = ari.asked(STOPS_TIMER)
    assert request.body == {
        "endpoint": "Local/stop@parley-timer/n",
        "context": "parley-timer",
        "extension": "stop",
        "priority": 1,
        "originator": LEG,
        "variables": {"PARLEY_TIMER": "60"},
    }


async def test_leg_that_was_redirected_during_an_outage_is_stopped_too(ari: AriServer, connect: Connect) -> None:
    await offered(ari, connect)
    ari.subscribed.discard(LEG)
    await ari.sockets[-1].close()
    assert await asked(ari, STOPS_TIMER)


async def test_leg_that_we_let_go_or_that_hangs_up_needs_no_help(ari: AriServer, connect: Connect) -> None:
    control = await offered(ari, connect)
    await ari.offer(OTHER, state="Up")
    await control.continue_in_dialplan(LEG, {})
    await taken(ari, LEG)
    await ari.hang_up(OTHER)

    async def empty() -> bool:
        return not await control.legs()

    assert await until(empty)
    assert ari.asked(STOPS_TIMER) == []


async def test_without_timers_nothing_is_stopped(ari: AriServer, connect: Connect) -> None:
    control = await offered(ari, connect, dead_man_s=0)
    await taken(ari, LEG)

    async def empty() -> bool:
        return not await control.legs()

    assert await until(empty)
    assert ari.asked(STOPS_TIMER) == []


async def test_dialplan_without_the_context_is_reported(
    ari: AriServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    await offered(ari, connect)
    ari.reply(STOPS_TIMER, 500, {"error": "Allocation failed"})
    await taken(ari, LEG)

    async def reported() -> bool:
        return "the timer of a caller who was taken elsewhere may end the call" in caplog.text

    assert await until(reported)
