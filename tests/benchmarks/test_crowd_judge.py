from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from benchmarks.crowd import Caller, Round, words_of
from benchmarks.crowd_judge import Verdict, judge
from parley.conversation.record import CallNote, CallStart, Turn
from parley.store import CallRecord
from tests.e2e.site import agent_says
from tests.support.phone_call import PhoneCall
from tests.support.recording import Recording, silence
from tests.support.speech import caller_says, require_speech

ANSWERED_S = 100.0
OTHERS = "071234"
"""What the other caller says, and is told, in every round of the first one."""


@dataclass
class Call:
    """What is judged of a phone's call."""

    created_at: float = ANSWERED_S - 1
    rung_at: float | None = None
    answered_at: float | None = ANSWERED_S
    ended_at: float | None = ANSWERED_S + 30
    heard: Recording = field(default_factory=Recording)


def begun_s(turn: int) -> float:
    return ANSWERED_S + 5 + 10 * turn


def told(number: str) -> bytes:
    return agent_says(f"You said {' '.join(number)}.")


def caller_with(index: int, *rounds: tuple[str, bool, bytes]) -> Caller:
    """A caller who gives numbers, spoken or keyed, and what the phone plays in return."""
    call, caller = Call(), Caller(index)
    call.heard.write(ANSWERED_S, silence(30.0))
    for turn, (number, by_keys, reply) in enumerate(rounds):
        start_s = begun_s(turn)
        call.heard.write(start_s + 3.2, reply)
        caller.rounds.append(Round(number, by_keys, start_s, start_s + 3.0, start_s + 7.5, 4.0))
    caller.call = cast(PhoneCall, call)
    return caller


def record_of(caller: Caller, *turns: tuple[str, str], notes: Sequence[CallNote] = ()) -> CallRecord:
    """The record of a call: text and keys of each turn."""
    start = CallStart("c", "l", "steady", "steady", "en", "in", caller.ani, "840", 0.0)
    known = [
        Turn(
            number=turn + 1,
            node="ask",
            at_ms=round((begun_s(turn) - ANSWERED_S) * 1000),
            caller_text=text,
            caller_keys=k,
        )
        for turn, (text, k) in enumerate(turns)
    ]
    return CallRecord(start, None, None, tuple(known), tuple(notes))


def verdict_on(
    caller: Caller, *turns: tuple[str, str], others: Sequence[Caller] = (), notes: Sequence[CallNote] = ()
) -> Verdict:
    return judge([caller, *others], [record_of(caller, *turns, notes=notes)])[0]


def note(kind: str, turn: int) -> CallNote:
    """A note at the end of the caller's turn."""
    return CallNote(kind, round((begun_s(turn) + 4 - ANSWERED_S) * 1000))


@pytest.fixture(autouse=True)
def _speech() -> None:
    require_speech()


def test_numbers_read_back_as_the_record_has_them_are_whole() -> None:
    caller = caller_with(3, ("033536", True, told("033536")), ("037237", False, told("037237")))
    seen = verdict_on(caller, ("", "033536"), ("oh three seven two three seven", ""))
    assert seen == Verdict(
        3,
        rounds=2,
        keyed=1,
        read_back=2,
        spoken_read_back=1,
        wrong_keys=[],
        untrue=[],
        disturbed=[],
        foreign=[],
        silence_s=seen.silence_s,
        length_s=30.0,
    )


@pytest.mark.parametrize("recorded", ["03353", "0335366", "033563"])
def test_keys_lost_doubled_or_out_of_order_are_wrong_keys(recorded: str) -> None:
    seen = verdict_on(caller_with(3, ("033536", True, told(recorded))), ("", recorded))
    assert (seen.wrong_keys, seen.read_back, seen.misheard) == ([f"033536: {recorded}"], 0, 0)


def test_keys_that_nobody_has_taken_are_wrong_keys() -> None:
    assert verdict_on(caller_with(3, ("033536", True, b""))).wrong_keys == ["033536: "]


def test_reply_that_begins_before_the_phone_notes_the_last_key_is_true() -> None:
    caller = caller_with(3, ("033536", True, b""))
    assert caller.call is not None
    caller.call.heard.write(begun_s(0) + 2.9, told("033536"))
    seen = verdict_on(caller, ("", "033536"))
    assert (seen.read_back, seen.untrue, seen.disturbed) == (1, [], [])


def test_number_that_the_recogniser_took_for_another_is_misheard_and_not_foreign() -> None:
    other = caller_with(7, (OTHERS, False, told(OTHERS)))
    caller = caller_with(3, ("033536", False, told("033530")))
    seen = verdict_on(caller, (words_of("033530"), ""), others=[other])
    assert (seen.misheard, seen.read_back, seen.foreign, seen.untrue) == (1, 0, [], [])


@pytest.mark.parametrize("turns", [[], [("", "")]])
def test_spoken_number_with_nothing_in_the_record_is_unrecorded(turns: Sequence[tuple[str, str]]) -> None:
    seen = verdict_on(caller_with(3, ("033536", False, b"")), *turns)
    assert (seen.unrecorded, seen.misheard, seen.cut_off) == (1, 0, 0)


def test_agent_who_spoke_over_a_number_of_which_nothing_is_recorded_has_lost_it() -> None:
    caller = caller_with(3, ("033536", False, b""))
    assert caller.call is not None
    caller.call.heard.write(begun_s(0) + 1.5, told("033"))
    seen = verdict_on(caller)
    assert (seen.unrecorded, seen.cut_off) == (1, 0)


def test_number_without_digits_in_the_record_is_misheard() -> None:
    seen = verdict_on(caller_with(3, ("033536", False, b"")), ("hello", ""))
    assert (seen.unrecorded, seen.misheard) == (0, 1)


def test_number_at_which_an_engine_failed_is_unrecorded_only_in_other_rounds() -> None:
    spoken = ("033536", False, b"")
    failed = [note("engine_failed", 1), note("silence", 0)]
    seen = verdict_on(caller_with(3, spoken, spoken, spoken), notes=failed)
    assert (seen.unrecorded, seen.misheard) == (2, 1)


@pytest.mark.parametrize("by_agent", [True, False])
def test_another_callers_words_in_a_reply_are_foreign(by_agent: bool) -> None:
    foreign = told(OTHERS) if by_agent else caller_says(words_of(OTHERS))
    other = caller_with(7, (OTHERS, False, told(OTHERS)))
    seen = verdict_on(caller_with(3, ("033536", True, foreign)), ("", "033536"), others=[other])
    assert (seen.foreign, len(seen.untrue)) == ([f"033536: {OTHERS}"], 1)


def test_another_callers_words_under_the_own_ones_are_foreign() -> None:
    own, theirs = (np.frombuffer(said, "<i2").astype(np.int32) for said in (told("033536"), told(OTHERS)))
    both = np.zeros(max(len(own), len(theirs)), np.int32)
    both[: len(own)] += own // 2
    both[: len(theirs)] += theirs // 2
    other = caller_with(7, (OTHERS, False, told(OTHERS)))
    caller = caller_with(3, ("033536", True, both.astype("<i2").tobytes()))
    assert verdict_on(caller, ("", "033536"), others=[other]).foreign == [f"033536: {OTHERS}"]


def test_reply_that_is_not_what_the_record_says_is_untrue() -> None:
    seen = verdict_on(caller_with(3, ("033536", True, told("912875"))), ("", "033536"))
    [untrue] = seen.untrue
    assert untrue.startswith("033536: 5.0 s after the answer")
    assert seen.read_back == 0


def test_caller_who_is_answered_too_early_is_cut_off() -> None:
    caller = caller_with(3, ("033536", False, b""))
    assert caller.call is not None
    caller.call.heard.write(begun_s(0) + 1.5, told("033"))
    seen = verdict_on(caller, ("oh three three", ""))
    assert (seen.cut_off, seen.misheard, seen.disturbed) == (1, 0, [])


def test_sound_in_a_turn_that_was_understood_is_a_disturbance() -> None:
    caller = caller_with(3, ("033536", True, told("033536")))
    assert caller.call is not None
    caller.call.heard.write(begun_s(0) + 1.0, told("1"))
    [disturbed] = verdict_on(caller, ("", "033536")).disturbed
    assert disturbed.startswith("033536: 5.0 s after the answer")


def test_call_without_a_record_has_failed() -> None:
    assert judge([caller_with(3)], [])[0].failure == "has no record"
