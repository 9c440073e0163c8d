"""Renewals of the timers: together, each in its own time, and never behind the back of `disarm`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ari_app.dead_man import MOST_AT_ONCE, DeadManTimer
from ari_app.events import Channel, StasisStart
from ari_app.legs import LegBook
from ari_app.rest import AriRest
from parley.call_control import LegId, PbxUnavailable
from tests.ari_app.ari_server import PASSWORD, USERNAME, AriServer
from tests.ari_app.conftest import asked

ONE, TWO, THREE = LegId("1.1"), LegId("1.2"), LegId("1.3")
LONG_S = 60.0


def set_timer(leg_id: str) -> str:
    """Return the pattern of requests that set a leg's timer."""
    return f"POST /channels/{leg_id}/variable"


def values(ari: AriServer, leg_id: LegId) -> list[str]:
    """Return what a leg's timer was set to."""
    return [request.body["value"] for request in ari.asked(set_timer(leg_id))]


@pytest.fixture
async def rest(ari: AriServer) -> AsyncIterator[AriRest]:
    rest = AriRest(ari.url, USERNAME, PASSWORD)
    yield rest
    await rest.aclose()


@asynccontextmanager
async def running(timer: DeadManTimer) -> AsyncIterator[None]:
    """Let the timer renew while the block runs."""
    async with asyncio.TaskGroup() as group:
        renewing = group.create_task(timer.run())
        try:
            yield
        finally:
            renewing.cancel()


def book_of(*leg_ids: LegId) -> LegBook:
    book = LegBook()
    for leg_id in leg_ids:
        book.apply(StasisStart(Channel(leg_id), ()))
    return book


async def test_stalling_legs_do_not_keep_a_healthy_one_from_its_renewals(ari: AriServer, rest: AriRest) -> None:
    ari.stall(set_timer(f"({ONE}|{TWO})"))
    async with running(DeadManTimer(rest, 0.6, book_of(ONE, TWO, THREE))):
        assert await asked(ari, set_timer(THREE), count=4)


async def test_renewal_that_stalls_is_given_up_in_time_for_another(ari: AriServer, rest: AriRest) -> None:
    ari.stall(set_timer(ONE))
    async with running(DeadManTimer(rest, 0.6, book_of(ONE))):
        assert await asked(ari, set_timer(ONE), count=3)


async def test_renewals_leave_connections_to_commands(ari: AriServer, rest: AriRest) -> None:
    legs = [LegId(f"2.{number}") for number in range(3 * MOST_AT_ONCE)]
    go_on = ari.stall(set_timer(r"2\..*"))
    async with running(DeadManTimer(rest, LONG_S, book_of(*legs))):
        assert await asked(ari, set_timer(".*"), count=MOST_AT_ONCE)
        await rest.answer(ONE)
        assert len(ari.asked(set_timer(".*"))) == MOST_AT_ONCE
        go_on.set()
        assert await asked(ari, set_timer(".*"), count=len(legs))


async def test_disarm_waits_for_its_own_legs_renewal_only(ari: AriServer, rest: AriRest) -> None:
    book = book_of(ONE, TWO)
    timer = DeadManTimer(rest, LONG_S, book)
    go_on = ari.stall(set_timer(ONE))
    renewing = asyncio.create_task(timer.arm(ONE))
    assert await asked(ari, set_timer(ONE))
    book.release(ONE)
    disarming = asyncio.create_task(timer.disarm(ONE))
    book.release(TWO)
    await timer.disarm(TWO)
    assert values(ari, TWO) == ["0"]
    assert values(ari, ONE) == ["60"]
    go_on.set()
    await asyncio.gather(renewing, disarming)
    assert values(ari, ONE) == ["60", "0"]


async def test_renewal_that_waits_behind_disarm_is_not_made(ari: AriServer, rest: AriRest) -> None:
    book = book_of(ONE)
    timer = DeadManTimer(rest, LONG_S, book)
    go_on = ari.stall(set_timer(ONE))
    first = asyncio.create_task(timer.arm(ONE))
    assert await asked(ari, set_timer(ONE))
    second = asyncio.create_task(timer.arm(ONE))
    book.release(ONE)
    disarming = asyncio.create_task(timer.disarm(ONE))
    go_on.set()
    await asyncio.gather(first, second, disarming)
    assert values(ari, ONE) == ["60", "0"]


async def test_disarm_tells_its_caller_when_it_fails(ari: AriServer, rest: AriRest) -> None:
    ari.reply(set_timer(ONE), 503)
    with pytest.raises(PbxUnavailable):
        await DeadManTimer(rest, LONG_S, book_of(ONE)).disarm(ONE)


async def test_leg_that_was_given_up_is_timed_until_asterisk_confirms_it_and_then_left_alone(
    ari: AriServer, rest: AriRest
) -> None:
    book = book_of(ONE, TWO)
    book.release(ONE)
    timer = DeadManTimer(rest, 0.6, book)
    timer.give_up(ONE)
    ari.reply_once(set_timer(ONE), 503)
    ari.reply_once(set_timer(ONE), 500, {"message": "Internal Server Error"})
    async with running(timer):
        assert await asked(ari, set_timer(TWO), count=6)
        assert values(ari, ONE) == ["0.6"] * 3


@pytest.mark.parametrize("status", [404, 409])
async def test_leg_that_was_given_up_and_is_gone_is_not_asked_for_again(
    ari: AriServer, rest: AriRest, status: int
) -> None:
    timer = DeadManTimer(rest, LONG_S, book_of())
    timer.give_up(ONE)
    ari.reply(set_timer(ONE), status, {"message": "no"})
    await timer.arm(ONE)
    await timer.arm(ONE)
    assert len(values(ari, ONE)) == 1


async def test_length_of_zero_switches_the_timers_off(ari: AriServer, rest: AriRest) -> None:
    timer = DeadManTimer(rest, 0, book_of(ONE))
    timer.give_up(TWO)
    await timer.arm(ONE)
    await timer.disarm(ONE)
    await timer.aclose()
    assert ari.requests == []


async def test_a_last_time_takes_one_deadline_however_many_legs_there_are(ari: AriServer, rest: AriRest) -> None:
    legs = [LegId(f"2.{number}") for number in range(8 * MOST_AT_ONCE)]
    ari.stall(set_timer("2.*"))
    book = book_of(*legs)
    for leg_id in legs:
        book.claim(leg_id)
    timer = DeadManTimer(rest, 5.0, book)
    async with asyncio.timeout(5.0):
        await timer.aclose()
    assert len(ari.asked(set_timer("2.*"))) >= MOST_AT_ONCE
