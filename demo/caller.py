"""The simulated caller: listens as people do, speaks with flite's `rms`, interrupts, presses keys."""

from __future__ import annotations

import asyncio
import time

from demo.ear import Ear
from demo.performance import CallerTurn, Performance
from demo.timeline import Timeline
from tests.support.hearing import silence_after, speech_segments
from tests.support.phone_call import PhoneCall
from tests.support.phone_media import Playback
from tests.support.speech import caller_says

MEMBER_NUMBER = "471108"
INTERRUPT_AFTER_S = 2.5
"""How long the caller listens to the read-back before interrupting it."""
REACTION_S = 0.2
"""A person's pause before speaking."""
SAID_QUIET_MS = 400
"""Pauses in the caller's own sentence shorter than this belong to it."""


class Caller:
    """One caller in a call that has been answered."""

    def __init__(self, call: PhoneCall, performance: Performance, timeline: Timeline) -> None:
        """performance: gets what happens."""
        self._call = call
        self._ear = Ear(call)
        self._performance = performance
        self._timeline = timeline

    async def book_and_ask_for_a_person(self) -> None:
        """Say everything up to the transfer."""
        self._performance.greeting_s = await self._ear.speech_begins(self._performance.answered_s)
        self._timeline.add("agent", "begins the greeting", self._performance.greeting_s)
        await self._ear.speech_ends(self._performance.greeting_s)
        first = await self._answer_by_voice("Hello. Tuesday please.")
        await asyncio.sleep(max(0.0, first.answered_s + INTERRUPT_AFTER_S - time.monotonic()))
        await self._interrupt("No, Thursday.")
        await self._listen_and_answer("Yes.")
        await self._listen_and_press(MEMBER_NUMBER)
        await self._listen_and_answer("Yes.")
        await self._listen_and_answer("I would like to speak to a person.")

    async def _listen_and_answer(self, words: str) -> CallerTurn:
        await self._ear.speech_ends(self._last_answer_s())
        return await self._answer_by_voice(words)

    async def _answer_by_voice(self, words: str) -> CallerTurn:
        await asyncio.sleep(REACTION_S)
        from_s, to_s = await self._say(words)
        return await self._heard_out(CallerTurn(words, from_s, to_s, await self._ear.speech_begins(to_s)))

    async def _interrupt(self, words: str) -> None:
        """Speak over the agent."""
        self._timeline.add("caller", f"interrupts: {words}")
        from_s, to_s = await self._say(words)
        silent_s = silence_after(self._call.heard, from_s, least_ms=200)
        self._performance.interrupted_silence_s = silent_s
        self._timeline.add("agent", "falls silent", silent_s)
        answered_s = await self._ear.speech_begins(max(to_s, silent_s + 0.02))
        await self._heard_out(CallerTurn(words, from_s, to_s, answered_s, interrupts=True))

    async def _listen_and_press(self, keys: str) -> None:
        await self._ear.speech_ends(self._last_answer_s())
        from_s = time.monotonic()
        await self._call.press(keys)
        to_s = time.monotonic()
        self._timeline.add("caller", f"presses {keys}", to_s)
        await self._heard_out(CallerTurn(f"keys {keys}", from_s, to_s, await self._ear.speech_begins(to_s)))

    async def _heard_out(self, turn: CallerTurn) -> CallerTurn:
        self._performance.turns.append(turn)
        self._timeline.add("agent", f"begins to answer, {turn.response_ms} ms after the caller", turn.answered_s)
        return turn

    async def _say(self, words: str) -> tuple[float, float]:
        """Say it and return when its first and last audible samples went out."""
        playback = self._call.play(caller_says(words))
        await playback.finished.wait()
        from_s, to_s = _audible(self._call, playback)
        self._timeline.add("caller", words, from_s)
        return from_s, to_s

    def _last_answer_s(self) -> float:
        return self._performance.turns[-1].answered_s


def _audible(call: PhoneCall, playback: Playback) -> tuple[float, float]:
    """Return the first and last audible moment of what was just said."""
    started_s = playback.started_at or 0.0
    segments = [part for part in speech_segments(call.said, join_ms=SAID_QUIET_MS) if part.end_s > started_s]
    return segments[0].start_s, segments[-1].end_s
