"""What became of a crowd's calls, from the sound at their phones: own numbers read back, and nobody else's words.

A read-back that correlates with its own words by 0.95 leaves no room for another voice over it; where it does not, it
is compared with what all others said and were told at that time. While a caller speaks the agent must be silent.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.crowd import Caller, Round, words_of
from tests.e2e.site import agent_says
from tests.support.hearing import HEARD, heard, level_dbfs
from tests.support.phone_codec import Samples
from tests.support.silence import Stretch, longest_silence
from tests.support.speech import caller_says

EXACT = 0.95
SILENT_DBFS = -50.0
PATH_S = 0.15
"""What the agent still says, or says already, at the edges of a caller's turn."""
PADDING_S = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """One call."""

    index: int
    rounds: int
    read_back: int
    """Rounds whose number was read back exactly."""
    foreign: int
    """Rounds in whose reply somebody else's words were heard."""
    disturbed: int
    """Own turns in which something was heard."""
    silence_s: float
    """The longest silence at the phone, own turns left out."""
    length_s: float
    failure: str


def judge(callers: Sequence[Caller]) -> list[Verdict]:
    """Judge every call."""
    with ThreadPoolExecutor(os.cpu_count()) as judges:
        return list(judges.map(lambda caller: _judge(caller, callers), callers))


def _judge(caller: Caller, callers: Sequence[Caller]) -> Verdict:
    call = caller.call
    if call is None or call.answered_at is None or call.ended_at is None:
        return Verdict(caller.index, 0, 0, 0, 0, 0.0, 0.0, caller.failure or "was not answered")
    read_back = foreign = disturbed = 0
    for said in caller.rounds:
        reply = call.heard.samples(said.ended_s, said.replied_s + PADDING_S)
        if heard(reply, agent_says(f"You said {' '.join(said.number)}.")).correlation >= EXACT:
            read_back += 1
        else:
            foreign += _holds_foreign_words(reply, said, caller, callers)
        own_turn = call.heard.samples(said.begun_s + PATH_S, said.ended_s - PATH_S)
        disturbed += bool(len(own_turn)) and _loudest_dbfs(own_turn) > SILENT_DBFS
    turns = [Stretch(said.begun_s, said.ended_s) for said in caller.rounds]
    silence = longest_silence(call, turns)
    return Verdict(
        index=caller.index,
        rounds=len(caller.rounds),
        read_back=read_back,
        foreign=foreign,
        disturbed=disturbed,
        silence_s=round(silence.length_s, 2),
        length_s=round(call.ended_at - call.answered_at, 1),
        failure=caller.failure,
    )


def _holds_foreign_words(reply: Samples, said: Round, caller: Caller, callers: Sequence[Caller]) -> bool:
    """Compare a reply with what was said to, and by, all others at that time."""
    for other in callers:
        if other is caller:
            continue
        for theirs in other.rounds:
            if theirs.begun_s < said.replied_s and theirs.replied_s > said.ended_s:
                told = agent_says(f"You said {' '.join(theirs.number)}.")
                words = (told,) if theirs.by_keys else (told, caller_says(words_of(theirs.number)))
                if any(heard(reply, spoken).correlation >= HEARD for spoken in words):
                    return True
    return False


def _loudest_dbfs(samples: Samples) -> float:
    """Return the level of the loudest tenth of a second."""
    return max(level_dbfs(piece) for piece in np.array_split(samples, max(1, len(samples) // 800)))
