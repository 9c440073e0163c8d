from __future__ import annotations

from collections.abc import Sequence

import pytest

from ari_app.repeated_keys import RepeatedKeys
from tests.ari_app.key_reading import Press, read_keys

NOW_MS = 1_800_000_000_000


def told(keys: Sequence[tuple[str, int]], duration_ms: int = 80) -> str:
    """The digits that are told of events: digit, and ms since the one before."""
    repeated, at_ms, digits = RepeatedKeys(), NOW_MS, ""
    for digit, since_ms in keys:
        at_ms += since_ms
        if not repeated.is_repeat(digit, duration_ms, at_ms):
            digits += digit
    return digits


def test_key_that_asterisk_puts_back_and_reads_again_is_told_once() -> None:
    seen_in_asterisk_22 = [("3", 0), ("7", 243), ("9", 123), ("9", 3), ("3", 241), ("7", 244), ("8", 244)]
    assert told(seen_in_asterisk_22) == "379378"


def test_key_of_a_burst_that_waits_for_the_one_before_to_be_stretched_is_told_once() -> None:
    assert told([("3", 0), ("7", 2), ("7", 126), ("8", 300)]) == "378"


def test_key_that_is_pressed_twice_in_a_burst_is_told_twice() -> None:
    assert told([("3", 0), ("9", 500), ("9", 1), ("9", 126)]) == "399"


@pytest.mark.parametrize(("duration_ms", "every_ms"), [(50, 100), (80, 120), (120, 180), (100, 150), (40, 80)])
def test_fast_diallers_same_keys_are_all_told(duration_ms: int, every_ms: int) -> None:
    assert told([(digit, every_ms) for digit in "1199911"], duration_ms) == "1199911"


@pytest.mark.parametrize("again_ms", [3, 25, 44])
def test_fast_diallers_key_that_is_put_back_is_told_once(again_ms: int) -> None:
    events = [("1", 0), ("9", 100), ("9", 100), ("9", again_ms), ("2", 100 - again_ms)]
    assert told(events, duration_ms=50) == "1992"


@pytest.mark.parametrize(
    ("events", "pressed"),
    [
        ([("1", 0), ("0", 153), ("0", 13), ("6", 188)], "106"),
        ([("0", 0), ("3", 158), ("3", 7)], "03"),
        ([("2", 0), ("1", 235), ("1", 212), ("3", 152), ("3", 13)], "2113"),
    ],
)
def test_key_whose_beginning_fell_into_a_late_gap_is_told_once_as_seen_in_asterisk_22(
    events: Sequence[tuple[str, int]], pressed: str
) -> None:
    assert told(events, duration_ms=120) == pressed


def test_keys_without_a_time_are_never_repeats() -> None:
    repeated = RepeatedKeys()
    assert not any(repeated.is_repeat("1", 80, None) for _ in range(3))
    assert not repeated.is_repeat("1", 80, 5)


def test_clock_that_is_set_back_loses_no_key() -> None:
    assert told([("1", 0), ("2", 60), ("2", -5000), ("2", 400)]) == "1222"


def dialled(digits: str, duration_ms: int, gap_ms: int, held_ms: Sequence[tuple[int, int]] = ()) -> tuple[str, str]:
    """What Asterisk reports of keys pressed in rhythm, and what of it is told; held_ms: from, until."""
    presses = [
        Press(digit, number * (duration_ms + gap_ms), duration_ms) for number, digit in enumerate(digits, start=1)
    ]
    events, repeated = read_keys(presses, held_ms), RepeatedKeys()
    told_of = [e for e in events if not repeated.is_repeat(e.digit, e.duration_ms, NOW_MS + e.at_ms)]
    return "".join(event.digit for event in events), "".join(event.digit for event in told_of)


def test_reading_gives_the_events_that_were_seen_in_asterisk_22() -> None:
    at_once = read_keys([Press("3", 0, 80), Press("7", 200, 80)], [(0, 1000)])
    assert [(event.digit, event.at_ms) for event in at_once] == [("3", 1000), ("7", 1000), ("7", 1125)]


@pytest.mark.parametrize("duration_ms", [80, 100, 120, 160, 200, 240])
@pytest.mark.parametrize("digits", ["234", "223123", "222", "2333", "1199937"])
def test_long_keys_that_arrive_at_once_are_each_told_once(digits: str, duration_ms: int) -> None:
    reported, told_digits = dialled(digits, duration_ms, 130, [(0, 4000)])
    assert len(reported) == 2 * len(digits) - 1
    assert told_digits == digits


@pytest.mark.parametrize("digits", ["223344", "222222"])
def test_long_keys_of_which_some_arrive_at_once_are_each_told_once(digits: str) -> None:
    assert [dialled(digits, 160, 130, [(500, until_ms)])[1] for until_ms in range(700, 2400, 100)] == [digits] * 17


@pytest.mark.parametrize(("duration_ms", "gap_ms"), [(80, 60), (50, 50), (40, 60), (120, 60), (160, 60), (240, 60)])
def test_fast_diallers_keys_are_each_told_once_as_asterisk_reads_them(duration_ms: int, gap_ms: int) -> None:
    digits = "1199937370028844666155"
    assert dialled(digits, duration_ms, gap_ms)[1] == digits


@pytest.mark.parametrize(("duration_ms", "gap_ms"), [(80, 60), (50, 50), (40, 60)])
def test_fast_diallers_same_key_after_a_burst_is_never_lost(duration_ms: int, gap_ms: int) -> None:
    for until_ms in range(300, 1000, 10):
        told_digits = dialled("1222233344", duration_ms, gap_ms, [(200, until_ms)])[1]
        left = iter(told_digits)
        assert all(digit in left for digit in "1222233344"), (until_ms, told_digits)


def test_clock_that_is_set_back_after_a_repeat_loses_no_key() -> None:
    assert told([("1", 0), ("2", 1), ("2", 125), ("3", -5000), ("3", 400), ("3", 140)]) == "12333"
