"""A call log that keeps everything in memory, in order."""

from __future__ import annotations

from parley.conversation.errors import RecordError
from parley.conversation.ports import CallLog
from parley.conversation.record import CallEnd, CallNote, CallStart, Turn
from parley.conversation.resume_point import ResumePoint
from tests.fakes.clock import FakeClock

Fact = CallStart | int | Turn | CallNote | CallEnd
"""What was recorded; an int is the answer's time in ms."""


class FakeCallLog(CallLog):
    """CallLog that may be slow or fail."""

    def __init__(self, *, delay_ms: int = 0, fails: bool = False, clock: FakeClock | None = None) -> None:
        """delay_ms: time that each commit takes; needs the clock.   fails: commit nothing, raise RecordError."""
        self._delay_ms = delay_ms
        self._clock = clock or FakeClock()
        self.fails = fails
        self.facts: list[Fact] = []
        """Everything committed, in order."""
        self.points: list[ResumePoint | None] = []
        """Where the call could be taken up, after the answer and after each turn."""

    @property
    def turns(self) -> list[Turn]:
        """The turns committed."""
        return [fact for fact in self.facts if isinstance(fact, Turn)]

    @property
    def notes(self) -> list[CallNote]:
        """The notes committed."""
        return [fact for fact in self.facts if isinstance(fact, CallNote)]

    @property
    def end(self) -> CallEnd | None:
        """How the call ended; None while it has not."""
        return next((fact for fact in self.facts if isinstance(fact, CallEnd)), None)

    async def call_started(self, start: CallStart) -> None:
        """Record an offered call."""
        await self._commit(start)

    async def call_answered(self, call_id: str, at_ms: int, point: ResumePoint | None = None) -> None:
        """Record the answer."""
        await self._commit(at_ms)
        self.points.append(point)

    async def turn_ended(self, call_id: str, turn: Turn, point: ResumePoint | None = None) -> None:
        """Record one exchange."""
        await self._commit(turn)
        self.points.append(point)

    async def noted(self, call_id: str, note: CallNote) -> None:
        """Record something else."""
        await self._commit(note)

    async def call_ended(self, call_id: str, end: CallEnd) -> None:
        """Record the outcome."""
        await self._commit(end)

    async def followed_up(self, call_id: str, note: CallNote) -> None:
        """Record what became of the caller."""
        await self._commit(note)

    async def _commit(self, fact: Fact) -> None:
        await self._clock.passes(self._delay_ms)
        if self.fails:
            raise RecordError("the fake call log fails")
        self.facts.append(fact)
