"""What is made of a caller's audio that stops: a link that is cut, or a phone that has nothing to send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from parley.app.audio_watch import until_unheard
from parley.call_control import LegId
from tests.fakes.call_control import FakeCallControl


@dataclass
class Line:
    """An audio connection, second by second."""

    silent_s: int = 0
    passed_on: bool = True
    """The PBX sends on what it gets from us."""
    held: bool = False
    seconds: int = 0

    @property
    def peer_silent_ms(self) -> int:
        return self.silent_s * 1000


async def seconds_until_unheard(line: Line, change: Callable[[Line], None], told: bool = True) -> int | None:
    """Watch for a minute, with this change in every second; return when the watch ended, None if it did not."""
    control = FakeCallControl()
    leg_id: LegId = control.caller_arrives("agent=reception").id
    record = control.record(leg_id)
    record.packets_sent = 0 if told else None

    async def pause(seconds: float) -> None:
        line.seconds += 1
        if line.seconds > 60:
            await asyncio.Event().wait()
        change(line)
        if record.packets_sent is not None and line.passed_on:
            record.packets_sent += 50

    watch = until_unheard(line, control, leg_id, is_held=lambda: line.held, pause=pause)
    try:
        await asyncio.wait_for(watch, 0.2)
    except TimeoutError:
        return None
    return line.seconds


def cut(line: Line) -> None:
    line.silent_s += 1
    line.passed_on = False


async def test_link_that_is_cut_is_noticed_within_seven_seconds() -> None:
    assert await seconds_until_unheard(Line(), cut) == 6


async def test_phone_that_sends_nothing_while_its_owner_is_silent_is_left_alone() -> None:
    def silence(line: Line) -> None:
        line.silent_s += 1

    assert await seconds_until_unheard(Line(), silence) is None


async def test_link_that_is_mended_in_time_costs_nothing() -> None:
    def cut_for_five_seconds(line: Line) -> None:
        line.passed_on = line.seconds > 5
        line.silent_s = 0 if line.passed_on else line.silent_s + 1

    assert await seconds_until_unheard(Line(), cut_for_five_seconds) is None


async def test_caller_who_has_put_us_on_hold_is_left_alone() -> None:
    assert await seconds_until_unheard(Line(held=True), cut) is None


async def test_pbx_that_does_not_tell_is_believed_to_send() -> None:
    assert await seconds_until_unheard(Line(), cut, told=False) is None
