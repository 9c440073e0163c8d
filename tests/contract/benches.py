"""What the contract suite needs from a PBX, and the fake PBX behind that face.

A bench is a CallControl with the other side of it: parties that dial, ring, answer, press keys and hang up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from parley.call_control import AudioPeer, CallControl, CallEvent, HangupCause, LegId
from tests.fakes.call_control import FakeCallControl

ARGUMENTS = ("agent=reception", "greeting=two words; 50%")
"""What the bench's dialplan passes with every call."""
SITE_NOTE = "gold, 5% {off} & more"
"""What the bench's dialplan sets as the variable SITE_NOTE before it hands us the call."""
CALLER = "15550100"
DIALLED = "920"
DEADLINE_S = 5.0

Event = TypeVar("Event", bound=CallEvent)


class Party(Protocol):
    """Somebody at a phone."""

    async def press(self, keys: str) -> None:
        """Press keys, one after another."""

    async def hang_up(self) -> None:
        """Hang up, or give up before the answer."""

    async def hold(self) -> None:
        """Put us on hold."""

    async def retrieve(self) -> None:
        """Come back from hold."""

    async def ring(self) -> None:
        """Let the phone ring (a called party)."""

    async def answer(self) -> None:
        """Take the call (a called party)."""

    async def refuse(self, cause: HangupCause) -> None:
        """Do not take the call: USER_BUSY or CALL_REJECTED (a called party)."""

    async def let_it_ring(self) -> None:
        """Not answer until the PBX gives up (a called party)."""

    async def hears_ringing(self) -> bool:
        """Tell whether ringing arrives (a caller)."""

    async def is_answered(self) -> bool:
        """Tell whether the call is answered."""

    async def is_ended(self) -> bool:
        """Tell whether the call has ended."""

    async def heard_keys(self, count: int) -> str:
        """Return the keys that arrived, once there are `count` of them."""


class Bench(Protocol):
    """A PBX with a dialplan that hands us calls to DIALLED."""

    control: CallControl
    destination: str
    """What to originate to reach the called party."""

    async def dial(self, name: str = "") -> Party:
        """Let a caller dial; the leg is offered soon after."""

    async def called_party(self) -> Party:
        """Return the party that we have just called."""

    async def takes_the_place_of(self, party: Party) -> Party:
        """Let a party of ours connect us with somebody else and go; return the new one."""

    async def variable(self, leg_id: LegId, name: str) -> str:
        """Return what the dialplan sees in a channel variable after the leg has left."""


class EventLog:
    """Everything that a CallControl tells, in order."""

    def __init__(self, control: CallControl) -> None:
        self.seen: list[CallEvent] = []
        self.finished = asyncio.Event()
        self._read = 0
        self._news = asyncio.Condition()
        self._control = control

    async def run(self) -> None:
        """Collect events until the CallControl is closed."""
        async for event in self._control.events():
            async with self._news:
                self.seen.append(event)
                self._news.notify_all()
        self.finished.set()

    async def next(self, kind: type[Event]) -> Event:
        """Return the next event of this kind that was not returned yet, skipping those of other kinds."""
        async with asyncio.timeout(DEADLINE_S), self._news:
            while True:
                while self._read < len(self.seen):
                    event = self.seen[self._read]
                    self._read += 1
                    if isinstance(event, kind):
                        return event
                await self._news.wait()

    def about(self, leg_id: LegId, kinds: Sequence[type[CallEvent]]) -> list[CallEvent]:
        """Return all events of these kinds about a leg, in order."""
        return [event for event in self.seen if isinstance(event, tuple(kinds)) and leg_of(event) == leg_id]


class PeerNote:
    """Our end of an audio connection that only notes the PBX's."""

    def __init__(self) -> None:
        self.peers: list[AudioPeer] = []

    async def __call__(self, peer: AudioPeer) -> None:
        self.peers.append(peer)


async def deaf(peer: AudioPeer) -> None:
    """Open no end of ours: for RTP that nobody needs to hear."""


def leg_of(event: CallEvent) -> LegId | None:
    """Return the leg that an event is about."""
    leg = getattr(event, "leg", None)
    identity = leg.id if leg is not None else getattr(event, "leg_id", None)
    return None if identity is None else LegId(identity)


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = DEADLINE_S) -> bool:
    """Ask until the condition holds; False when it does not within the time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while not await condition():
        if loop.time() > end:
            return False
        await asyncio.sleep(0.02)
    return True


class FakeParty:
    """A party of the fake PBX."""

    def __init__(self, pbx: FakeCallControl, leg_id: LegId) -> None:
        self._pbx = pbx
        self.leg_id = leg_id

    async def press(self, keys: str) -> None:
        self._pbx.presses(self.leg_id, keys)

    async def hang_up(self) -> None:
        self._pbx.caller_hangs_up(self.leg_id)

    async def hold(self) -> None:
        self._pbx.party_holds(self.leg_id)

    async def retrieve(self) -> None:
        self._pbx.party_retrieves(self.leg_id)

    async def ring(self) -> None:
        self._pbx.callee_rings(self.leg_id)

    async def answer(self) -> None:
        self._pbx.callee_answers(self.leg_id)

    async def refuse(self, cause: HangupCause) -> None:
        self._pbx.caller_hangs_up(self.leg_id, cause)

    async def let_it_ring(self) -> None:
        self._pbx.callee_rings(self.leg_id)
        self._pbx.caller_hangs_up(self.leg_id, HangupCause.NO_ANSWER)

    async def hears_ringing(self) -> bool:
        return self._pbx.record(self.leg_id).ringing

    async def is_answered(self) -> bool:
        return self._pbx.record(self.leg_id).answered_by_us

    async def is_ended(self) -> bool:
        return self._pbx.record(self.leg_id).ended_with is not None

    async def heard_keys(self, count: int) -> str:
        return self._pbx.record(self.leg_id).digits_sent


class FakeBench:
    """The fake PBX as a bench."""

    destination = "fake/party"

    def __init__(self) -> None:
        self.pbx = FakeCallControl()
        self.control: CallControl = self.pbx

    async def dial(self, name: str = "") -> Party:
        leg = self.pbx.caller_arrives(
            *ARGUMENTS, ani=CALLER, ani_name=name, dnis=DIALLED, variables={"SITE_NOTE": SITE_NOTE}
        )
        return FakeParty(self.pbx, leg.id)

    async def called_party(self) -> Party:
        return FakeParty(self.pbx, list(self.pbx.records)[-1])

    async def takes_the_place_of(self, party: Party) -> Party:
        assert isinstance(party, FakeParty)
        return FakeParty(self.pbx, self.pbx.another_takes_the_place(party.leg_id).id)

    async def variable(self, leg_id: LegId, name: str) -> str:
        return self.pbx.record(leg_id).variables_set[name]


@asynccontextmanager
async def listening(control: CallControl) -> AsyncIterator[EventLog]:
    """Collect the control's events while the block runs."""
    log = EventLog(control)
    async with asyncio.TaskGroup() as group:
        collecting = group.create_task(log.run())
        try:
            yield log
        finally:
            collecting.cancel()
