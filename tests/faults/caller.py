"""A caller who answers whenever they are asked, for as long as it takes, and remembers whose turn it was.

They say a number, or key it in after one that was not read back, as people do. Who hears music waits.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from itertools import cycle

from demo.ear import Ear, NothingHeard
from tests.e2e.site import agent_says
from tests.support.hearing import heard, speech_segments
from tests.support.phone_call import CallFailed, PhoneCall
from tests.support.silence import Stretch, longest_silence
from tests.support.speech import caller_says

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS = ("0367", "1478", "2589", "4715")
"""The recogniser understands each of them when nothing is in the way: this is about faults, not about accuracy."""
LAST_NUMBER = "9999"
"""The flow says goodbye to it and hangs up."""
PERSON_KEYS = "0#"
QUIET_S = 0.6
"""After so much silence the caller takes the turn."""
SHORTEST_PROMPT_S = 1.2
"""What the agent says in less time ("One moment, please.") is no question."""
LONGEST_PROMPT_S = 15.0
"""Longer sounds are the queue's music."""
LONGEST_RINGING_S = 60.0
POLL_S = 0.1


def words_of(number: str) -> str:
    """Return a number as it is said."""
    return " ".join(DIGITS[int(digit)] for digit in number)


def read_back(number: str) -> bytes:
    """Return the agent's words for a number that it has understood."""
    return agent_says(f"You said {' '.join(number)}.")


class AnsweringCaller:
    """One caller on one call; `converse()` runs until the call is over."""

    def __init__(self, call: PhoneCall, *, keys_only: bool = False) -> None:
        """keys_only: never speak."""
        self.call = call
        self.own_turns: list[Stretch] = []
        self.understood_at: list[float] = []
        """When each number that was then read back had been said."""
        self._numbers = cycle(NUMBERS)
        self._keys_only = keys_only
        self._key_next = keys_only
        self._last_answer = ""
        self._answered = asyncio.Event()
        self.speaking = asyncio.Event()
        """Set while the caller says a number."""

    @property
    def name(self) -> str:
        """The number that the caller calls from."""
        return self.call.dialog.local.user

    def finish(self) -> None:
        """Let the next number be the last, unless something else was to be."""
        self._last_answer = self._last_answer or LAST_NUMBER

    def ask_for_a_person(self) -> None:
        """Let the next answer be the key that leads to the queue."""
        self._last_answer = PERSON_KEYS

    async def converse(self) -> None:
        """Answer until the call is over; cancel it to fall silent."""
        with suppress(CallFailed):
            await self.call.wait_answered(LONGEST_RINGING_S)
        ear, since_s, told = Ear(self.call, POLL_S), time.monotonic(), ""
        while not self.call.is_ended:
            try:
                ended_s = await ear.speech_ends(since_s, quiet_s=QUIET_S, timeout_s=LONGEST_PROMPT_S)
            except NothingHeard as nothing:
                if "did not end" in str(nothing):
                    since_s = time.monotonic()
                continue
            if await self._was_question(since_s, ended_s):
                if told:
                    await self._check(told, since_s, ended_s)
                told = await self._answer(ended_s)
            since_s = time.monotonic()

    async def understood(self, after_s: float = 0.0, timeout_s: float = 30.0) -> float:
        """Wait until a number said at or after this moment was read back; return when it had been said.

        Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                found = [at_s for at_s in self.understood_at if at_s >= after_s]
                if found:
                    return found[0]
                self._answered.clear()
                await self._answered.wait()

    def silence(self, until_s: float | None = None) -> Stretch:
        """Return the longest silence of the call so far."""
        return longest_silence(self.call, self.own_turns, self.call.ended_at or until_s or time.monotonic())

    async def _was_question(self, since_s: float, ended_s: float) -> bool:
        """Tell a question from a filler: by its length."""
        segments = speech_segments(self.call.heard.samples(since_s, ended_s), join_ms=500)
        return bool(segments) and segments[-1].length_s > SHORTEST_PROMPT_S

    async def _check(self, number: str, since_s: float, ended_s: float) -> None:
        """Note whether the number was read back; key the next one in if not."""
        sound = self.call.heard.samples(since_s, ended_s)
        understood = (await asyncio.to_thread(heard, sound, read_back(number))).clearly
        self._key_next = self._keys_only or not understood
        if understood:
            self.understood_at.append(self.own_turns[-1].end_s)
            self._answered.set()

    async def _answer(self, asked_s: float) -> str:
        """Give the next number; return it."""
        number = self._last_answer or next(self._numbers)
        try:
            if self._last_answer or self._key_next:
                await self.call.press(number)
            else:
                self.speaking.set()
                await self.call.say(caller_says(words_of(number)))
        finally:
            self.speaking.clear()
            # A phone whose call is over does not finish what it was saying.
            self.own_turns.append(Stretch(asked_s, self.call.ended_at or time.monotonic()))
        return number
