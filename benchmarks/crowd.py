"""Callers who talk for as long as one wants: each tells numbers of its own, by voice and by keys in turn.

The agent is `benchmarks/flows/steady`: it reads each number back and asks for the next. Capacity and soak let a crowd
call; `crowd_judge` says from the sound at their phones what became of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from demo.ear import Ear, NothingHeard
from tests.e2e.site import DIALPLAN
from tests.support.asterisk import Asterisk
from tests.support.phone_call import PhoneCall
from tests.support.sip_phone import SipPhone
from tests.support.speech import caller_says

LINE = "840"
CROWD_DIALPLAN = f"""{DIALPLAN}
exten => {LINE},1,Gosub(parley,s,1(agent=steady))
 same => n,Goto(100,2)
"""
CROWD_SETTINGS = f"""\
data_dir = "data"
flow_folders = ["{Path(__file__).parent / "flows"}"]

[asterisk]
url = "{{ari_url}}"

[http]
port = {{http_port}}

[log]
json_lines = true

[agents.steady]
flow = "steady"
voices = {{{{ en = "slt" }}}}
fallback_queue = "support"
"""
QUESTION = "What is your number?"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ARRIVALS_S = 0.75
"""From one call to the next: 20 callers are spread over a round by speech and one by keys, as independent ones are.
`chorus` has those who speak in the same instant."""
QUIET_S = 0.5
"""After so much silence the caller takes the turn."""
POLL_S = 0.1
LONGEST_S = 12.0
"""From the caller's answer to the end of the agent's."""
READ_BACK_S = 3.0
"""A reply that is shorter is none: the agent has not understood."""
KEY_MS = 120
"""Asterisk stretches shorter ones to 80 ms, and takes some that come in a burst twice."""


@dataclass(frozen=True, slots=True)
class Round:
    """One answer of a caller. Times are monotonic seconds."""

    number: str
    by_keys: bool
    begun_s: float
    ended_s: float
    replied_s: float
    """When the agent's reply, the next question included, had ended."""
    reply_length_s: float

    @property
    def understood(self) -> bool:
        """Whether the agent's reply was long enough for a read-back."""
        return self.reply_length_s >= READ_BACK_S


@dataclass(slots=True)
class Caller:
    """One caller's call and what was said in it."""

    index: int
    call: PhoneCall | None = None
    rounds: list[Round] = field(default_factory=list)
    failure: str = ""
    """Why the call ended before its time; empty when it did not."""

    @property
    def ani(self) -> str:
        """The number that the caller calls from."""
        return f"1555{self.index:04d}"

    def number(self, turn: int) -> str:
        """Return the number of a round; no other caller says it, and no two rounds of a call."""
        return f"{self.index:02d}{(turn * 3701 + self.index * 811) % 10_000:04d}"


def words_of(number: str) -> str:
    """Return the number as a caller says it."""
    return " ".join(DIGITS[int(digit)] for digit in number)


def by_keys(turn: int) -> bool:
    """Tell whether a round is answered by keys when nothing has gone wrong."""
    return turn % 2 == 1


async def prepare_speech(count: int, duration_s: float) -> None:
    """Have everything spoken that the callers may say, before anything is measured."""
    turns = int(duration_s / 7) + 2
    said = {
        words_of(Caller(index).number(turn)) for index in range(count) for turn in range(turns) if not by_keys(turn)
    }
    await asyncio.to_thread(lambda: [caller_says(words) for words in sorted(said)])


async def hold_calls(pbx: Asterisk, count: int, duration_s: float) -> Sequence[Caller]:
    """Let `count` callers call one after the other, and each talk for so long; then all hang up."""
    callers = [Caller(index) for index in range(count)]
    async with SipPhone("15550100", server=(pbx.sip_host, pbx.sip_port)) as phone, asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(_talk(phone, caller, duration_s))
            await asyncio.sleep(ARRIVALS_S)
    return callers


async def _talk(phone: SipPhone, caller: Caller, duration_s: float) -> None:
    caller.call = call = phone.dial(LINE, caller=caller.ani)
    await call.wait_answered(20.0)
    until_s = time.monotonic() + duration_s
    try:
        await _answer_questions(call, caller, until_s)
    except NothingHeard as err:
        caller.failure = f"round {len(caller.rounds)}: {err}"
    await call.hangup()


async def _answer_questions(call: PhoneCall, caller: Caller, until_s: float) -> None:
    """Answer whenever the agent has finished speaking."""
    ear = Ear(call, POLL_S)
    await ear.speech_ends(call.answered_at or 0.0, QUIET_S, LONGEST_S)
    keys_now = False
    while time.monotonic() < until_s:
        turn = len(caller.rounds)
        number = caller.number(turn)
        keys_now = keys_now or by_keys(turn)
        begun_s = time.monotonic()
        if keys_now:
            await call.press(number, KEY_MS)
        else:
            await call.say(caller_says(words_of(number)))
        ended_s = time.monotonic()
        reply_s = await ear.speech_begins(ended_s, LONGEST_S)
        replied_s = await ear.speech_ends(reply_s, QUIET_S, LONGEST_S)
        answered = Round(number, keys_now, begun_s, ended_s, replied_s, replied_s - reply_s)
        caller.rounds.append(answered)
        # Who was not understood takes to the keys, as people do.
        keys_now = not answered.understood
