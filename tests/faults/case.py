"""A case: what happens to some callers while something fails, and the verdict.

It is judged by the callers' silence, by what is left behind, and by what the record has lost. The people in the queue
answer by themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from demo.ear import Ear
from parley.store import CallRecord
from tests.dialplans.call_centre import RING_S, talk
from tests.faults.caller import AnsweringCaller
from tests.faults.site import LIFE_S, NUMBERS_LINE, FaultSite
from tests.faults.table import LONGEST_SILENCE_MS, Row
from tests.faults.traces import Traces, left_behind
from tests.support.phone_call import CallFailed, PhoneCall
from tests.support.sip_phone import SipPhone

SETTLE_S = 20.0
"""For what calls have used to be given back: pooled connections, the record's last facts, orphans found."""
TALK_S = 15.0


class Case:
    """What happens in one case; several rows when several faults are tried at the same time."""

    def __init__(self, site: FaultSite, rows: Sequence[Row], tasks: asyncio.TaskGroup) -> None:
        self.site = site
        self.rows = rows
        self.callers: dict[AnsweringCaller, Row] = {}
        self.people_answer = True
        self.failure = ""
        """Why the test failed."""
        self._tasks = tasks
        self._people: list[asyncio.Task[None]] = []
        self._conversations: dict[AnsweringCaller, asyncio.Task[None]] = {}
        self._ends: dict[AnsweringCaller, str] = {}
        self._talked: dict[str, asyncio.Event] = {}
        self._committed: list[CallRecord] = []

    def dial(
        self, number: str = NUMBERS_LINE, *, row: int = 0, name: str = "", keys_only: bool = False
    ) -> AnsweringCaller:
        """Let somebody call who answers whatever they are asked."""
        caller = self.dial_and_listen(number, row=row, name=name, keys_only=keys_only)
        self._conversations[caller] = self._tasks.create_task(caller.converse())
        return caller

    def dial_and_listen(
        self, number: str = NUMBERS_LINE, *, row: int = 0, name: str = "", keys_only: bool = False
    ) -> AnsweringCaller:
        """Let somebody call who says nothing."""
        call = self.site.centre.caller.dial(number, name=name, caller=self.site.fresh_number())
        caller = AnsweringCaller(call, keys_only=keys_only)
        self.callers[caller] = self.rows[row]
        self._talked[caller.name] = asyncio.Event()
        return caller

    async def in_mid_call(self) -> AnsweringCaller:
        """Let a caller dial and be understood, and take down the records as they are just before the fault."""
        caller = self.dial()
        await caller.understood()
        await self.commit()
        return caller

    async def commit(self) -> None:
        """Take down what the record holds now, just before a fault: all of it must be there in the end."""
        self._committed = await self.site.records()

    async def agent_speaks(self, caller: AnsweringCaller) -> float:
        """Wait until the agent begins to answer what the caller is saying now; return when. Raises NothingHeard."""
        while caller.speaking.is_set():
            await asyncio.sleep(0.02)
        return await Ear(caller.call).speech_begins(time.monotonic())

    async def go_on(self, caller: AnsweringCaller, after_s: float, timeout_s: float = 40.0) -> None:
        """Let the caller be understood once more after this moment, then end; a caller with a person only ends.

        Raises CallFailed, TimeoutError.
        """
        understood = asyncio.create_task(caller.understood(after_s, timeout_s))
        talked = asyncio.create_task(self._talked[caller.name].wait())
        done, others = await asyncio.wait({understood, talked}, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        await asyncio.gather(*done)
        await self.end(caller)

    async def end(self, caller: AnsweringCaller, timeout_s: float = 40.0, *, as_: str = "") -> None:
        """Let the caller come to an end: the agent's goodbye, or a talk with a person in the queue.

        as_: the word for a goodbye, instead of `completed`.   Raises CallFailed when neither comes in time.
        """
        caller.finish()
        async with asyncio.timeout(timeout_s) as patience:
            with suppress(CallFailed):
                await caller.call.wait_ended(timeout_s)
        talked = self._talked[caller.name].is_set()
        if patience.expired() or not caller.call.is_ended:
            raise CallFailed(f"neither the agent's goodbye nor a person within {timeout_s:.0f} s")
        if not talked and not caller.call.end_reason.startswith("hung up there"):
            raise CallFailed(f"the call ended otherwise: {caller.call.end_reason}")
        self._ends[caller] = "queue" if talked else as_ or "completed"

    async def hang_up(self, caller: AnsweringCaller, where: str = "hung_up_by_caller") -> None:
        """Let the caller hang up.   where: `queue` for one who waits for a person."""
        await caller.call.hangup()
        self._ends[caller] = where

    async def lose(self, caller: AnsweringCaller) -> None:
        """Judge the call until now: the PBX that had it is gone, and with it everything that could make a sound."""
        await caller.call.hangup()
        self._ends[caller] = "lost"

    def open(self) -> None:
        """Put a person at each of the queue's phones."""
        self._people = [self._tasks.create_task(self._person(phone)) for phone in self.site.centre.agents]

    async def close(self) -> None:
        """End all calls."""
        for task in (*self._people, *self._conversations.values()):
            task.cancel()
        await self.site.centre.hang_up()

    async def _person(self, phone: SipPhone) -> None:
        """Take whatever calls come, for ever."""
        while True:
            with suppress(CallFailed):
                call = await phone.next_call(LIFE_S)
                if self.people_answer:
                    await self._take(call)

    async def _take(self, call: PhoneCall) -> None:
        """Answer, let both say something, and hang up; a caller whom both have heard has talked with a person."""
        caller = next((one for one in self.callers if one.name == call.remote_number), None)
        with suppress(CallFailed, TimeoutError):
            await call.answer(ring_s=RING_S)
            if caller is not None:
                self._conversations[caller].cancel()
                async with asyncio.timeout(TALK_S):
                    by_person, by_caller = await talk(caller.call, call)
                if by_person.clearly and by_caller.clearly:
                    self._talked[caller.name].set()
            await call.hangup()

    async def judge(self, before: Traces) -> None:
        """Fill the rows in, when all calls are over."""
        silences: dict[int, float] = {}
        for caller, row in self.callers.items():
            silence_s = caller.silence().length_s
            silences[id(row)] = max(silences.get(id(row), 0.0), silence_s)
        leaks = await self._leaks(before)
        lost = lost_facts(self._committed, await self.site.records()) if self._committed else []
        for row in self.rows:
            if id(row) in silences:
                row.silence_ms_max = round(silences[id(row)] * 1000)
            ends = [self._ends.get(caller, "unknown") for caller, own in self.callers.items() if own is row]
            row.ended_in = "+".join(dict.fromkeys(ends))
            row.leaks, row.lost = leaks, lost
            row.note = "; ".join(part for part in (row.note, self.failure) if part)
            quiet = row.silence_ms_max is None or row.silence_ms_max <= LONGEST_SILENCE_MS
            row.passed = not self.failure and quiet and not leaks and not lost and "unknown" not in ends

    async def _leaks(self, before: Traces) -> list[str]:
        """Wait until nothing has grown; return what has after `SETTLE_S`."""
        deadline = time.monotonic() + SETTLE_S
        while (leaks := left_behind(before, await self.site.traces())) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
        return leaks


@asynccontextmanager
async def open_case(site: FaultSite, rows: Sequence[Row]) -> AsyncIterator[Case]:
    """Run a case: its callers end with it, then it is judged. What it raises is noted in its rows and raised."""
    site.log.clear()
    before = await site.traces()
    async with asyncio.TaskGroup() as tasks:
        case = Case(site, rows, tasks)
        case.open()
        try:
            yield case
        except BaseException as err:
            case.failure = f"{type(err).__name__}: {err}"
            raise
        finally:
            await case.close()
            await case.judge(before)


async def have_a_call(site: FaultSite) -> None:
    """Have a call without any fault, so that what is made once is made. Raises CallFailed."""
    async with open_case(site, [Row("no fault")]) as case:
        caller = case.dial()
        await caller.understood()
        await case.end(caller)
    if not case.rows[0].passed:
        raise CallFailed(f"a call without any fault: {case.rows[0]}")


def lost_facts(before: Sequence[CallRecord], after: Sequence[CallRecord]) -> list[str]:
    """Return which facts of the earlier records the later ones do not hold, in words."""
    later = {record.start.call_id: record for record in after}
    lost = []
    for record in before:
        now = later.get(record.start.call_id)
        if now is None:
            lost.append(f"call {record.start.call_id}")
            continue
        facts = {
            "start": now.start == record.start,
            "answer": record.answered_ms in (None, now.answered_ms),
            "turns": now.turns[: len(record.turns)] == record.turns,
            "notes": now.notes[: len(record.notes)] == record.notes,
            "end": record.end in (None, now.end),
        }
        lost += [f"{fact} of call {record.start.call_id}" for fact, kept in facts.items() if not kept]
    return lost
