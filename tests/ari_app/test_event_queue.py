import pytest

from ari_app.event_queue import EventQueue
from parley.call_control import (
    CallEvent,
    CallId,
    DigitReceived,
    Direction,
    HangupCause,
    Leg,
    LegEnded,
    LegId,
    LegOffered,
    LegState,
    PbxConnected,
)


async def drained(queue: EventQueue) -> list[CallEvent]:
    queue.close()
    return [event async for event in queue]


async def test_events_come_out_in_order_and_end_after_closing() -> None:
    queue = EventQueue()
    events: list[CallEvent] = [PbxConnected("22"), LegEnded(LegId("1"), HangupCause.NORMAL_CLEARING)]
    for event in events:
        queue.put(event)
    assert await drained(queue) == events


async def test_flood_of_keys_leaves_room_for_what_happens_to_legs(caplog: pytest.LogCaptureFixture) -> None:
    queue = EventQueue(maxsize=10)
    for _ in range(1000):
        queue.put(DigitReceived(LegId("1"), "5", 100))
    ended = LegEnded(LegId("1"), HangupCause.NORMAL_CLEARING)
    queue.put(ended)
    events = await drained(queue)
    assert events[-1] == ended
    assert (len(events), queue.dropped) == (6, 995)
    assert [record.message for record in caplog.records] == ["call events are not consumed"] * 3, "one line per key"


async def test_queue_is_bounded_for_every_kind() -> None:
    queue = EventQueue(maxsize=10)
    taken = [queue.put(PbxConnected("22")) for _ in range(30)]
    assert taken == [True] * 20 + [False] * 10
    assert len(await drained(queue)) == 20
    assert queue.dropped == 10


async def test_end_of_a_leg_gets_in_where_offers_do_not() -> None:
    queue = EventQueue(maxsize=10)
    legs = [Leg(LegId(str(number)), CallId("1"), Direction.INBOUND, LegState.OFFERED) for number in range(12)]
    assert [queue.put(LegOffered(leg)) for leg in legs] == [True] * 10 + [False] * 2
    ended = LegEnded(LegId("0"), HangupCause.NORMAL_CLEARING)
    assert queue.put(ended)
    assert (await drained(queue))[-1] == ended


async def test_failure_of_the_adapter_is_raised_to_the_consumer() -> None:
    queue = EventQueue()
    queue.put(PbxConnected("22"))
    queue.close(RuntimeError("a bug"))
    consumer = aiter(queue)
    assert await anext(consumer) == PbxConnected("22")
    with pytest.raises(RuntimeError, match="a bug"):
        await anext(consumer)
