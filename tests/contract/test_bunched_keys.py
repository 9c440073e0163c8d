"""Keys that arrive at once on a real Asterisk, after the network held them back: reported twice, told once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from parley.call_control import DigitReceived
from tests.contract.asterisk_bench import AsteriskBench, PhoneParty
from tests.contract.benches import EventLog, until
from tests.contract.test_call_control import answered
from tests.support.asterisk import Asterisk
from tests.support.phone_line import PhoneLine

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

KEY_MS = 160
HELD_S = 0.2
"""Longer than it takes to press the keys: so long after the last they still wait."""
LAST_KEY = "9"


@asynccontextmanager
async def reported_keys(pbx: Asterisk) -> AsyncIterator[list[str]]:
    """Collect the keys of all channels as Asterisk's own events report them."""
    reported: list[str] = []
    query = {"app": "key-watch", "subscribeAll": "true", "api_key": f"{pbx.ari_username}:{pbx.ari_password}"}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{pbx.ari_url}/ari/events", params=query) as events,
        asyncio.TaskGroup() as tasks,
    ):

        async def collect() -> None:
            async for message in events:
                event = message.json()
                if event["type"] == "ChannelDtmfReceived":
                    reported.append(event["digit"])

        collecting = tasks.create_task(collect())
        yield reported
        collecting.cancel()


@pytest.mark.parametrize("keys", ["234", "223123"])
async def test_long_keys_that_arrive_at_once_are_each_told_once(
    asterisk: Asterisk, bench: AsteriskBench, log: EventLog, keys: str
) -> None:
    party, leg = await answered(bench, log)
    assert isinstance(party, PhoneParty)
    line = party.call.media.line = PhoneLine()
    async with reported_keys(asterisk) as reported:
        # Each key is followed by 60 ms of silence, and its end takes a packet of its own.
        line.held_until_s = time.monotonic() + len(keys) * (KEY_MS + 80) / 1000 + HELD_S
        await party.call.press(keys, KEY_MS)
        assert time.monotonic() < line.held_until_s

        async def all_reported() -> bool:
            return len(reported) == 2 * len(keys) - 1

        assert await until(all_reported), reported
        await party.call.press(LAST_KEY, KEY_MS)

        async def all_told() -> bool:
            return told().endswith(LAST_KEY)

        def told() -> str:
            return "".join(
                event.digit for event in log.about(leg.id, [DigitReceived]) if isinstance(event, DigitReceived)
            )

        assert await until(all_told), told()
    assert told() == keys + LAST_KEY
    await party.hang_up()
