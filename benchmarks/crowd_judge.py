"""What became of a crowd's calls: each is judged by the sound at its phone against its own record.

A reply that correlates by 0.95 with what the record says was told leaves no room for another voice over it; one that
does not is compared with what all others said and were told at that time. Keys must arrive exactly. A spoken number
that came out as another one is the recogniser's mistake, and counted apart from words of other calls.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from benchmarks.crowd import DIGITS, Caller, Round, words_of
from parley.conversation.record import Turn
from parley.store import CallRecord
from tests.e2e.site import agent_says
from tests.support.hearing import HEARD, heard, level_dbfs
from tests.support.phone_call import PhoneCall
from tests.support.phone_codec import Samples
from tests.support.silence import Stretch, longest_silence
from tests.support.speech import caller_says

EXACT = 0.95
ALIKE = 0.2
"""By so much more than the own words are like them anyway must another's words be heard: all say digits."""
SILENT_DBFS = -50.0
PATH_S = 0.15
"""What the agent still says, or says already, at the edges of a caller's turn."""
PADDING_S = 0.2
EARLY_S = 0.3
"""The record's clock and the phone's agree to less than this."""
_VALUES = {word: str(value) for value, word in enumerate(DIGITS)} | {"oh": "0"}


class _Fate(Enum):
    """What became of a round's number on its way into the record; see Verdict."""

    UNDERSTOOD = auto()
    WRONG_KEYS = auto()
    UNRECORDED = auto()
    CUT_OFF = auto()
    MISHEARD = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One call. Rounds are counted once in each of what follows that applies to them."""

    index: int
    rounds: int
    keyed: int
    read_back: int
    """Rounds whose number is in the record, and was read back in exactly these words."""
    wrong_keys: Sequence[str] = ()
    """Keyed rounds whose keys are not in the record as they were pressed: `pressed: recorded`."""
    spoken_read_back: int = 0
    """Those of `read_back` that were spoken."""
    unrecorded: int = 0
    """Spoken rounds of which the record has nothing, nor that an engine failed there."""
    misheard: int = 0
    """Spoken rounds that the recogniser took for another number, or for none; that it failed at, too."""
    cut_off: int = 0
    """Spoken rounds that the agent took for finished while the caller went on."""
    untrue: Sequence[str] = ()
    """Replies, to a number in the record, that did not sound as the record says: `pressed or said: what was seen`."""
    foreign: Sequence[str] = ()
    """Rounds in whose reply another caller's words were heard: `own: the other's`."""
    disturbed: Sequence[str] = ()
    """Own turns in which something was heard, those that were cut off left out: `number: what was seen`."""
    silence_s: float = 0.0
    """The longest silence at the phone, own turns left out."""
    length_s: float = 0.0
    failure: str = ""


def judge(callers: Sequence[Caller], records: Sequence[CallRecord]) -> list[Verdict]:
    """Judge every call by its own record, which is found by the caller's number."""
    known = {record.start.ani: record for record in records}
    with ThreadPoolExecutor(os.cpu_count()) as judges:
        return list(judges.map(lambda caller: _judge(caller, callers, known), callers))


def _judge(caller: Caller, callers: Sequence[Caller], records: Mapping[str, CallRecord]) -> Verdict:
    call, record = caller.call, records.get(caller.ani)
    if call is None or call.answered_at is None or call.ended_at is None:
        return Verdict(caller.index, 0, 0, 0, failure=caller.failure or "was not answered")
    if record is None:
        return Verdict(caller.index, 0, 0, 0, failure="has no record")
    fates: Counter[_Fate] = Counter()
    wrong_keys: list[str] = []
    foreign: list[str] = []
    untrue: list[str] = []
    disturbed: list[str] = []
    read_back = spoken_read_back = 0
    for said, turns, engine_failed in _with_turns(caller.rounds, record, call.answered_at):
        # From the beginning of the turn: the agent may answer the last key before a busy phone notes that it was sent.
        reply = call.heard.samples(said.begun_s, said.replied_s + PADDING_S)
        taken = [_number_in(turn) for turn in turns]
        told = agent_says(f"You said {' '.join(taken[0])}.") if taken and len(taken[0]) == len(said.number) else b""
        alike = heard(reply, told).correlation if told else 0.0
        as_recorded = alike >= EXACT
        when = f"{said.number}: {said.begun_s - call.answered_at:.1f} s after the answer"
        if not as_recorded and (theirs := _foreign_words(reply, told, said, caller, callers)):
            foreign.append(f"{said.number}: {theirs}")
        if told and not as_recorded:
            untrue.append(f"{when}, {alike:.2f} like the record, reply {said.reply_length_s:.1f} s")
        early = _sound_within(call, said)
        fate = _fate_of(said, taken, engine_failed, early)
        fates[fate] += 1
        if fate is _Fate.WRONG_KEYS:
            wrong_keys.append(f"{said.number}: {' '.join(taken)}")
        read_back += fate is _Fate.UNDERSTOOD and as_recorded
        spoken_read_back += fate is _Fate.UNDERSTOOD and as_recorded and not said.by_keys
        if early and fate is not _Fate.CUT_OFF:
            disturbed.append(f"{when}, for {said.ended_s - said.begun_s:.1f} s")
    silence = longest_silence(call, [Stretch(said.begun_s, said.ended_s) for said in caller.rounds])
    return Verdict(
        index=caller.index,
        rounds=len(caller.rounds),
        keyed=sum(said.by_keys for said in caller.rounds),
        read_back=read_back,
        spoken_read_back=spoken_read_back,
        wrong_keys=wrong_keys,
        unrecorded=fates[_Fate.UNRECORDED],
        misheard=fates[_Fate.MISHEARD],
        cut_off=fates[_Fate.CUT_OFF],
        untrue=untrue,
        foreign=foreign,
        disturbed=disturbed,
        silence_s=round(silence.length_s, 2),
        length_s=round(call.ended_at - call.answered_at, 1),
        failure=caller.failure,
    )


def _fate_of(said: Round, taken: Sequence[str], engine_failed: bool, early: bool) -> _Fate:
    """taken: the numbers in the record.   early: whether the phone made a sound in its caller's turn."""
    if taken == [said.number]:
        return _Fate.UNDERSTOOD
    if said.by_keys:
        return _Fate.WRONG_KEYS
    if not taken and not engine_failed:
        return _Fate.UNRECORDED
    return _Fate.CUT_OFF if early or len(taken) > 1 else _Fate.MISHEARD


def _with_turns(
    rounds: Sequence[Round], record: CallRecord, answered_at: float
) -> Iterator[tuple[Round, Sequence[Turn], bool]]:
    """Yield each round with the turns of it that have something of the caller's, and whether an engine failed in it."""
    offered_at = answered_at - (record.answered_ms or 0) / 1000
    at_s = [(offered_at + turn.at_ms / 1000, turn) for turn in record.turns if turn.caller_text or turn.caller_keys]
    failed_s = [offered_at + note.at_ms / 1000 for note in record.notes if note.kind == "engine_failed"]
    ends = [later.begun_s for later in rounds[1:]] + [float("inf")]
    for said, end_s in zip(rounds, ends, strict=True):
        from_s, until_s = said.begun_s - EARLY_S, end_s - EARLY_S
        turns = [turn for begun_s, turn in at_s if from_s <= begun_s < until_s]
        yield said, turns, any(from_s <= noted_s < until_s for noted_s in failed_s)


def _number_in(turn: Turn) -> str:
    """Return the digits that the record has of a turn."""
    return turn.caller_keys or "".join(_VALUES.get(word, "") for word in turn.caller_text.split())


def _sound_within(call: PhoneCall, said: Round) -> bool:
    """Tell whether the phone made a sound in its caller's turn."""
    own_turn = call.heard.samples(said.begun_s + PATH_S, said.ended_s - PATH_S)
    return bool(len(own_turn)) and _loudest_dbfs(own_turn) > SILENT_DBFS


def _foreign_words(reply: Samples, told: bytes, said: Round, caller: Caller, callers: Sequence[Caller]) -> str:
    """Return the number of another caller whose words, or whose agent's, are in a reply; empty if nobody's are.

    told: what the own record says; it may be like theirs by itself.
    """
    for other in callers:
        for theirs in other.rounds if other is not caller else ():
            if theirs.begun_s < said.replied_s and theirs.replied_s > said.ended_s:
                answer = agent_says(f"You said {' '.join(theirs.number)}.")
                for spoken in (answer,) if theirs.by_keys else (answer, caller_says(words_of(theirs.number))):
                    alike = heard(told, spoken).correlation if told else 0.0
                    if heard(reply, spoken).correlation >= max(HEARD, alike + ALIKE):
                        return theirs.number
    return ""


def _loudest_dbfs(samples: Samples) -> float:
    """Return the level of the loudest tenth of a second."""
    return max(level_dbfs(piece) for piece in np.array_split(samples, max(1, len(samples) // 800)))
