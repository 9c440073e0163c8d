"""How long a caller heard nothing: the measure that every fault is judged by.

A caller's **silence** is a stretch between dialling and the end of the call in which their phone made no sound and it
was not their own turn to speak.

- Sound is whatever the phone plays louder than -60 dBFS for a tenth of a second: the agent, a queue's music or prompt,
  a queue agent. What the PBX sends as digital silence is none, and neither is a click.
- Ringing counts as sound, from the 180 on: a phone makes it by itself until the call is answered.
- The caller's own turn begins where what they heard has ended and ends with the last of their answer. It is neither
  sound nor silence: it is left out. There is one for each sound at most, so a dead line has none; a caller's turn may
  not be longer than `LONGEST_TURN_S`, or nothing would be measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tests.support.hearing import speech_segments
from tests.support.recording import Recording

SOUND_DBFS = -60.0
LEAST_SOUND_MS = 100
LONGEST_TURN_S = 8.0


class JudgedCall(Protocol):
    """What is looked at of a call that a phone made; a PhoneCall has it."""

    created_at: float
    rung_at: float | None
    answered_at: float | None
    ended_at: float | None

    @property
    def heard(self) -> Recording:
        """What came out of its earpiece."""
        ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time on the monotonic clock."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Duration."""
        return self.end_s - self.start_s


def longest_silence(call: JudgedCall, own_turns: Iterable[Stretch] = (), until_s: float | None = None) -> Stretch:
    """Return the caller's longest silence.

    own_turns: see the module's docstring.   until_s: end of what is judged; None for the end of the call.
    Raises ValueError for a turn that is too long to be one, and for a call that goes on without `until_s`.
    """
    end_s = call.ended_at if until_s is None else until_s
    if end_s is None:
        raise ValueError("the call goes on: say until when it is judged")
    turns = list(own_turns)
    if any(turn.length_s > LONGEST_TURN_S for turn in turns):
        raise ValueError(f"a caller's turn of more than {LONGEST_TURN_S} s would hide silence")
    return _longest_gap([*sounds(call, end_s), *turns], call.created_at, end_s)


def sounds(call: JudgedCall, until_s: float) -> list[Stretch]:
    """Return when the phone made a sound: its own ringing, and what came from the far side."""
    heard = speech_segments(call.heard, threshold_dbfs=SOUND_DBFS, join_ms=60, least_ms=LEAST_SOUND_MS)
    stretches = [Stretch(segment.start_s, segment.end_s) for segment in heard]
    if call.rung_at is not None:
        stretches.append(Stretch(call.rung_at, call.answered_at or until_s))
    return stretches


def _longest_gap(stretches: list[Stretch], start_s: float, end_s: float) -> Stretch:
    """Return the longest stretch between start and end that none of these covers."""
    longest, covered_s = Stretch(start_s, start_s), start_s
    for stretch in sorted([*stretches, Stretch(end_s, end_s)], key=lambda one: one.start_s):
        gap = Stretch(covered_s, min(stretch.start_s, end_s))
        if gap.length_s > longest.length_s:
            longest = gap
        covered_s = max(covered_s, stretch.end_s)
    return longest
