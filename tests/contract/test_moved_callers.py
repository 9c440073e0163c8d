"""Callers whom the PBX or their own phones move in the middle of a call, on a real Asterisk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from parley.call_control import LegGone, LegLeft
from tests.contract.asterisk_bench import AsteriskBench, asterisk_bench, connected
from tests.contract.benches import EventLog, until
from tests.contract.test_asterisk import attach, hears, streams, talking
from tests.contract.test_call_control import listening
from tests.support.asterisk import Asterisk
from tests.support.recording import tone

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

LOW_HZ, MIDDLE_HZ, HIGH_HZ = 400, 700, 1100


@pytest_asyncio.fixture(loop_scope="module")
async def bench(asterisk: Asterisk) -> AsyncIterator[AsteriskBench]:
    async with asterisk_bench(asterisk) as bench:
        yield bench


@pytest_asyncio.fixture(loop_scope="module")
async def log(bench: AsteriskBench) -> AsyncIterator[EventLog]:
    async with listening(bench.control) as log:
        yield log


async def test_caller_whom_an_operator_redirects_has_left_and_nothing_of_ours_stays(
    bench: AsteriskBench, log: EventLog
) -> None:
    async with streams(1) as (end,):
        call, leg_id = await talking(bench, log)
        await attach(bench.control, leg_id, end)
        await bench.redirect(leg_id, "from-trunk,900,1")
        assert (await log.next(LegLeft)).leg_id == leg_id

        async def only_the_leg() -> bool:
            return await bench.channel_ids() == [leg_id] and not await bench.rest.bridges()

        assert await until(only_the_leg)
        call.play(tone(LOW_HZ, 2))
        assert await hears(call.heard, LOW_HZ), "the dialplan's Echo() does not answer"
        with pytest.raises(LegGone):
            await bench.control.answer(leg_id)


async def test_dead_man_timer_does_not_follow_a_redirected_caller(asterisk: Asterisk, bench: AsteriskBench) -> None:
    await bench.control.aclose()
    async with connected(asterisk, dead_man_s=1.0) as control, listening(control) as log:
        bench.control = control
        call, leg_id = await talking(bench, log)
        await bench.redirect(leg_id, "from-trunk,900,1")
        await log.next(LegLeft)
        await asyncio.sleep(1.5)
        assert not call.is_ended
        assert await bench.rest.get_variable(leg_id, "TIMEOUT(absolute)") == "0"
        call.play(tone(LOW_HZ, 2))
        assert await hears(call.heard, LOW_HZ), "the timer took the caller out of the dialplan's Echo()"
        assert await bench.channel_ids() == [leg_id]
