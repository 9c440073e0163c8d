"""Queue events through the adapter: legs by ARI, what becomes of them by AMI, both told by `events()`."""

from __future__ import annotations

from ari_app import AriCallControl
from ari_app.ami import AmiClient
from parley.call_control import LegEnded, LegLeft, LegOffered, QueueJoined, QueueLeft
from tests.ari_app.ami_server import SECRET, USERNAME, AmiServer, ami_server
from tests.ari_app.ari_server import PASSWORD, AriServer, ari_server
from tests.ari_app.ari_server import USERNAME as ARI_USERNAME
from tests.contract.benches import EventLog, listening


async def test_leg_is_followed_into_the_queue_and_until_it_has_left_it() -> None:
    async with ari_server() as ari, ami_server() as ami:
        client = AmiClient("127.0.0.1", ami.port, USERNAME, SECRET)
        control = AriCallControl(ari.url, ARI_USERNAME, PASSWORD, dead_man_s=0.0, ami=client)
        await client.connect()
        await control.start()
        async with listening(control) as log:
            await ari.offer("1.1", "agent=reception")
            await log.next(LegOffered)
            # AMI is faster than ARI here.
            ami.event("QueueCallerJoin", Uniqueid="1.1", Linkedid="1.1", Queue="support", Position="1")
            assert (await log.next(QueueJoined)).leg_id == "1.1"
            await ari.send({"type": "StasisEnd", "channel": ari.channels["1.1"]})
            await log.next(LegLeft)
            ami.event("QueueCallerAbandon", Uniqueid="1.1", Linkedid="1.1", Queue="support", HoldTime="7")
            assert (await log.next(QueueLeft)).waited_s == 7
            await _ended_leg_is_forgotten(ari, ami, client, log)
        await control.aclose()
        await client.aclose()


async def _ended_leg_is_forgotten(ari: AriServer, ami: AmiServer, client: AmiClient, log: EventLog) -> None:
    await ari.offer("1.2", "agent=reception")
    await log.next(LegOffered)
    await ari.hang_up("1.2")
    await log.next(LegEnded)
    ami.event("QueueCallerJoin", Uniqueid="1.2", Linkedid="1.2", Queue="support", Position="1")
    await client.request("Ping")
    assert len([event for event in log.seen if isinstance(event, QueueJoined)]) == 1
