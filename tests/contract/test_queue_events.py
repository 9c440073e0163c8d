"""Queue events on a real Asterisk: a caller whom we let go, a real app_queue, and phones as queue agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from ari_app import AriCallControl
from ari_app.ami import AmiClient
from ari_app.ami.errors import AmiRefused
from parley.call_control import (
    AgentAnswered,
    AgentDeclined,
    AgentOffered,
    LegId,
    LegOffered,
    PbxRefused,
    QueueExit,
    QueueJoined,
    QueueLeft,
)
from tests.contract.benches import EventLog, listening, until
from tests.dialplans.call_centre import CallCentre, open_call_centre
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.phone_call import PhoneCall

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

DIALPLAN = """
[from-trunk](+)
exten => 950,1,Stasis(parley,agent=reception)
 same => n,Answer()
 same => n,Queue(support,,,,${QUEUE_PATIENCE})
 same => n,Hangup()
; The queue is behind a Local channel.
exten => 951,1,Stasis(parley,agent=reception)
 same => n,Answer()
 same => n,Dial(Local/910@from-trunk/n)
 same => n,Hangup()
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    require_asterisk()
    async with Asterisk(additions={"extensions.conf": DIALPLAN}, life_s=120) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Bench:
    pbx: Asterisk
    control: AriCallControl
    ami: AmiClient
    log: EventLog
    centre: CallCentre

    async def let_go(self, number: str, **variables: str) -> tuple[PhoneCall, LegId]:
        """Let a caller dial, and let the leg go on into its queue."""
        call = self.centre.caller.dial(number)
        leg_id = (await self.log.next(LegOffered)).leg.id
        await self.control.continue_in_dialplan(leg_id, variables)
        return call, leg_id


@asynccontextmanager
async def ami_of(pbx: Asterisk) -> AsyncIterator[AmiClient]:
    """Make a client of the Asterisk's AMI; it is not connected yet."""
    ami = AmiClient("127.0.0.1", pbx.ami_port, pbx.ami_username, pbx.ami_password)
    try:
        yield ami
    finally:
        await ami.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(pbx: Asterisk) -> AsyncIterator[Bench]:
    async with ami_of(pbx) as ami, open_call_centre(pbx) as centre:
        control = AriCallControl(f"{pbx.ari_url}/ari", pbx.ari_username, pbx.ari_password, ami=ami)
        await ami.connect()
        await control.start()
        try:
            async with listening(control) as log:
                yield Bench(pbx, control, ami, log, centre)
                await centre.hang_up()
                await pbx.wait_until_idle()
        finally:
            await control.aclose()


async def test_joined_offered_declined_offered_answered_left(bench: Bench) -> None:
    call, leg_id = await bench.let_go("950")
    assert await bench.log.next(QueueJoined) == QueueJoined(leg_id, "support", 1)
    first = await bench.centre.offered()
    assert (await bench.log.next(AgentOffered)).queue == "support"
    first.reject()
    declined = await bench.log.next(AgentDeclined)
    second = await bench.centre.offered()
    offered = await bench.log.next(AgentOffered)
    await second.answer(ring_s=0.2)
    answered = await bench.log.next(AgentAnswered)
    await asyncio.sleep(1.0)
    await second.hangup()
    left = await bench.log.next(QueueLeft)
    await call.wait_ended()
    assert {declined.agent, offered.agent} == {"Agent One", "Agent Two"}
    assert answered.agent == offered.agent
    assert answered.waited_s <= 4
    assert (left.queue, left.exit) == ("support", QueueExit.ANSWERED)
    assert 1 <= left.talked_s <= 3
    assert {event.leg_id for event in (declined, offered, answered, left)} == {leg_id}


async def test_caller_who_gives_up_is_told_apart_from_one_whose_time_is_up(bench: Bench) -> None:
    patient, patient_id = await bench.let_go("950", QUEUE_PATIENCE="2")
    await bench.log.next(AgentOffered)
    left = await bench.log.next(QueueLeft)
    assert (left.leg_id, left.exit, left.waited_s) == (patient_id, QueueExit.UNSERVED, 2)
    await patient.wait_ended()
    impatient, impatient_id = await bench.let_go("950")
    await bench.log.next(AgentOffered)
    await impatient.hangup()
    left = await bench.log.next(QueueLeft)
    assert (left.leg_id, left.exit) == (impatient_id, QueueExit.ABANDONED)


async def test_caller_behind_a_local_channel_is_known_by_the_call(bench: Bench) -> None:
    _, leg_id = await bench.let_go("951")
    assert (await bench.log.next(QueueJoined)).leg_id == leg_id


async def test_caller_who_never_was_in_our_hands_is_not_told_of(bench: Bench) -> None:
    bench.centre.caller.dial("910")
    agent = await bench.centre.offered()
    await agent.answer(ring_s=0.2)
    await agent.hangup()
    await bench.pbx.wait_until_idle()
    await bench.ami.request("Ping")
    assert not [event for event in bench.log.seen if isinstance(event, QueueJoined | AgentOffered | QueueLeft)]


async def test_user_of_the_shipped_configuration_may_command_nothing(bench: Bench) -> None:
    for action, fields in [("Setvar", {"Variable": "X", "Value": "1"}), ("Command", {"Command": "core stop now"})]:
        with pytest.raises(AmiRefused, match="Permission denied"):
            await bench.ami.request(action, fields)


async def test_wrong_password_is_refused_by_the_real_thing(pbx: Asterisk) -> None:
    client = AmiClient("127.0.0.1", pbx.ami_port, pbx.ami_username, "a-guess")
    with pytest.raises(PbxRefused, match=r"\[parley\] of manager\.conf"):
        await client.connect()
    await client.aclose()


async def test_value_that_fills_the_longest_line_is_read_whole(pbx: Asterisk, bench: Bench) -> None:
    assert await bench.ami.request("Ping", {"Note": "x" * 990 + "yz"})


async def test_asterisk_that_is_killed_is_noticed() -> None:
    async with Asterisk(life_s=60) as pbx, ami_of(pbx) as ami:
        running = asyncio.create_task(ami.run())

        async def connected() -> bool:
            return ami.connected

        async def lost() -> bool:
            return not ami.connected

        assert await until(connected)
        await pbx.kill()
        assert await until(lost)
        await ami.aclose()
        await running
