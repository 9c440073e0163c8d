import pytest

from ari_app.event_queue import EventQueue
from parley.call_control import CallEvent, DigitReceived, HangupCause, LegEnded, LegId, PbxConnected


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
    assert [record.message for record in caplog.records] == ["call events are not consumed; dropping"]


async def test_queue_is_bounded_for_every_kind() -> None:
    queue = EventQueue(maxsize=10)
    for _ in range(20):
        queue.put(PbxConnected("22"))
    assert len(await drained(queue)) == 10
    assert queue.dropped == 10


async def test_failure_of_the_adapter_is_raised_to_the_consumer() -> None:
    queue = EventQueue()
    queue.put(PbxConnected("22"))
    queue.close(RuntimeError("a bug"))
    consumer = aiter(queue)
    assert await anext(consumer) == PbxConnected("22")
    with pytest.raises(RuntimeError, match="a bug"):
        await anext(consumer)
