"""Ten callers at once: each gets an answer to what they said themselves, and nobody hears anybody else."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass

import pytest
import pytest_asyncio

from demo.ear import Ear, NothingHeard
from parley.conversation.record import EndReason
from parley.store import CallRecord
from tests.e2e.open_files import OpenFiles, open_files
from tests.e2e.site import DIALPLAN, NUMBER_LINE, Node, agent_says, serving
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.hearing import HEARD, heard, speech_segments
from tests.support.parley_process import ROOT
from tests.support.phone_call import PhoneCall
from tests.support.sip_phone import SipPhone
from tests.support.speech import caller_says, require_speech

pytestmark = pytest.mark.e2e

RESULT = ROOT / "build" / "test" / "isolation.json"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS = tuple("".join(str((caller + first) % 10) for first in (0, 3, 7, 1, 6, 4)) for caller in range(10))
"""No two have a digit in common at the same place. The recogniser understands each of them when it is said alone:
this is about isolation, not about accuracy."""
TRIES = 4
"""Whoever is asked again says it again."""
CALLS = 3
"""Who hears a wrong digit read back, or music, calls again, as people do."""
LONGEST_PROMPT_S = 12.0
"""Longer sounds are the queue's music."""
EXACT = 0.95
"""Correlation with the own read-back below which a digit in it was another."""
WAITING_S = 1.5
"""What the agent says in less time ("One moment, please.") is no question."""
QUIET_S = 0.5
"""After so much silence the caller takes the turn."""
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one caller."""

    said: str
    calls: int
    tries: int
    read_back_heard: bool
    own_correlation: float
    best_other_correlation: float
    """Of what the nine others said and were told, the piece most like anything that this phone heard."""
    slot: str
    call_s: float


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller who is content."""

    number: str
    calls: int
    tries: int
    """Of the last call."""
    call: PhoneCall
    """The last one."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Ten callers after their calls, and what they left behind."""

    callers: Sequence[Caller]
    records: dict[str, CallRecord]
    """By the number that was said."""
    channels: list[str]
    bridges: list[str]
    open_before: OpenFiles
    media_meanwhile: list[str]
    """Asterisk's media legs while all of them talk."""
    open_meanwhile: OpenFiles
    open_after: OpenFiles


def words_of(number: str) -> str:
    return " ".join(DIGITS[int(digit)] for digit in number)


def read_back(number: str) -> str:
    return f"You said {' '.join(number)}."


async def tell_number(phone: SipPhone, number: str) -> Caller:
    """Call, and call again until the own number was read back."""
    for _ in range(CALLS):
        call = await phone.call(NUMBER_LINE, timeout_s=20.0)
        tries = await say_number(call, number)
        told = await asyncio.to_thread(heard, call.heard.samples(), agent_says(read_back(number)))
        if told.correlation >= EXACT:
            break
    return Caller(number, len(phone.calls), tries, call)


async def say_number(call: PhoneCall, number: str) -> int:
    """Say the number whenever asked for it, until the agent hangs up; return how often it was said."""
    ear = Ear(call, POLL_S)
    tries, since_s = 0, call.answered_at or 0.0
    while tries < TRIES:
        try:
            ended_s = await ear.speech_ends(since_s, quiet_s=QUIET_S, timeout_s=LONGEST_PROMPT_S)
        except NothingHeard:
            break
        [*_, last] = speech_segments(call.heard, join_ms=500)
        if ended_s - max(last.start_s, since_s) > WAITING_S or not tries:
            await call.say(caller_says(words_of(number)))
            tries += 1
        since_s = time.monotonic()
    await call.hangup()
    return tries


async def crowd_at(pbx: Asterisk, node: Node) -> Crowd:
    """Have ten phones call at once."""
    pid = node.process.pid
    open_before = open_files(pid)
    async with AsyncExitStack() as stack:
        phones = [
            await stack.enter_async_context(SipPhone(f"1555010{index}", server=(pbx.sip_host, pbx.sip_port)))
            for index in range(len(NUMBERS))
        ]
        async with asyncio.TaskGroup() as tasks:
            told = [
                tasks.create_task(tell_number(phone, number)) for phone, number in zip(phones, NUMBERS, strict=True)
            ]
            await node.logged("call started", len(NUMBERS), timeout_s=20.0)
            media_meanwhile = [name for name in await pbx.channels() if name.startswith("UnicastRTP/")]
            open_meanwhile = open_files(pid)
        callers = [task.result() for task in told]
    records = await node.ended_records(sum(caller.calls for caller in callers))
    last = {record.start.ani: record for record in records}
    await pbx.wait_until_idle()
    return Crowd(
        callers=callers,
        records={number: last[phone.user] for phone, number in zip(phones, NUMBERS, strict=True)},
        channels=await pbx.channels(),
        bridges=await pbx.bridges(),
        open_before=open_before,
        media_meanwhile=media_meanwhile,
        open_meanwhile=open_meanwhile,
        open_after=open_files(pid),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    """Ten calls, made once for all tests of this module."""
    require_speech()
    for number in NUMBERS:
        caller_says(words_of(number))
    async with (
        Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN}) as pbx,
        serving(pbx, tmp_path_factory.mktemp("parley")) as node,
    ):
        return await crowd_at(pbx, node)


def outcome_of(caller: Caller, record: CallRecord) -> Outcome:
    """Compare everything that one phone heard with what was said to, and by, all callers."""
    line = caller.call.heard.samples()
    others = [number for number in NUMBERS if number != caller.number]
    own = heard(line, agent_says(read_back(caller.number)))
    foreign = [agent_says(read_back(number)) for number in others] + [
        caller_says(words_of(number)) for number in others
    ]
    return Outcome(
        said=caller.number,
        calls=caller.calls,
        tries=caller.tries,
        read_back_heard=own.clearly,
        own_correlation=round(own.correlation, 3),
        best_other_correlation=round(max(heard(line, words).correlation for words in foreign), 3),
        slot=record.end.slots.get("number", "") if record.end else "",
        call_s=round((caller.call.ended_at or 0.0) - caller.call.created_at, 1),
    )


def write_result(outcomes: Sequence[Outcome], passed: bool) -> None:
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    result = {"passed": passed, "callers": [asdict(outcome) for outcome in outcomes]}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def test_ten_callers_at_once_each_hear_their_own_number_and_nothing_of_the_others(crowd: Crowd) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as judges:
        records = [crowd.records[caller.number] for caller in crowd.callers]
        outcomes = list(judges.map(outcome_of, crowd.callers, records))
    passed = all(
        outcome.read_back_heard
        and outcome.own_correlation >= HEARD > 2 * outcome.best_other_correlation
        and outcome.slot == outcome.said
        for outcome in outcomes
    )
    write_result(outcomes, passed)
    assert passed, outcomes


def test_ten_callers_talk_at_the_same_time(crowd: Crowd) -> None:
    assert len(crowd.media_meanwhile) == len(NUMBERS)
    assert crowd.open_meanwhile.udp_sockets == crowd.open_before.udp_sockets == 1, "one port carries them all"


@pytest.mark.parametrize("number", NUMBERS)
def test_record_of_each_call_holds_only_what_its_own_caller_said(crowd: Crowd, number: str) -> None:
    record = crowd.records[number]
    assert record.end is not None
    assert (record.end.reason, record.end.outcome) == (EndReason.COMPLETED, "read_back")
    assert record.turns[-1].agent_heard.endswith(read_back(number))
    assert record.turns[-1].caller_text == words_of(number)
    for other in NUMBERS:
        if other != number:
            for form in (other, " ".join(other), words_of(other)):
                assert form not in repr(record)


def test_nothing_of_ten_calls_is_left_in_asterisk(crowd: Crowd) -> None:
    assert crowd.channels == []
    assert crowd.bridges == []


def test_parley_has_closed_every_socket_and_file_of_ten_calls(crowd: Crowd) -> None:
    assert crowd.open_after == crowd.open_before
