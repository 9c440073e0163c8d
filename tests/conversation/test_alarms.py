"""Several alarms on one."""

from parley.conversation.alarms import Alarm, Alarms
from parley.conversation.ports import AlarmReached
from tests.fakes.call_audio import FakeCallAudio


async def rung(audio: FakeCallAudio, ms: int) -> list[AlarmReached]:
    """Let time pass; return what rang."""
    await audio.advance(ms)
    audio.emit(AlarmReached(-1))
    events = audio.events()
    seen = []
    while (event := await anext(events)) != AlarmReached(-1):
        assert isinstance(event, AlarmReached)
        seen.append(event)
    return seen


async def test_earliest_alarm_rings_first_and_the_next_is_armed() -> None:
    audio = FakeCallAudio()
    alarms = Alarms(audio)
    alarms.set(Alarm.NO_INPUT, 800)
    alarms.set(Alarm.ENDPOINT, 320)
    assert await rung(audio, 40) == [AlarmReached(320)]
    assert alarms.due(320) == [Alarm.ENDPOINT]
    assert await rung(audio, 60) == [AlarmReached(800)]
    assert alarms.due(800) == [Alarm.NO_INPUT]


async def test_cancelled_alarm_is_not_due_even_when_it_rings() -> None:
    audio = FakeCallAudio()
    alarms = Alarms(audio)
    alarms.set(Alarm.KEYS, 320)
    alarms.cancel(Alarm.KEYS, Alarm.FILLER)
    await rung(audio, 40)
    assert alarms.due(audio.position) == []


async def test_alarm_that_is_set_again_replaces_its_first_position() -> None:
    audio = FakeCallAudio()
    alarms = Alarms(audio)
    alarms.set(Alarm.ENDPOINT, 320)
    alarms.set(Alarm.ENDPOINT, 640)
    assert alarms.due(320) == []
    assert alarms.is_set(Alarm.ENDPOINT)
    assert await rung(audio, 80) == [AlarmReached(640)]


async def test_alarms_that_are_due_together_come_in_their_order() -> None:
    alarms = Alarms(FakeCallAudio())
    alarms.set(Alarm.NO_INPUT, 200)
    alarms.set(Alarm.ENDPOINT, 300)
    alarms.set(Alarm.KEYS, 100)
    assert alarms.due(300) == [Alarm.KEYS, Alarm.NO_INPUT, Alarm.ENDPOINT]
