from __future__ import annotations

from collections.abc import Sequence

import pytest

from ari_app.repeated_keys import RepeatedKeys


def told(keys: Sequence[tuple[str, int]], duration_ms: int = 80) -> str:
    """The digits that are told of events: digit, and ms since the one before."""
    repeated, at_ms, digits = RepeatedKeys(), 1_800_000_000_000, ""
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


def test_keys_without_a_time_are_never_repeats() -> None:
    repeated = RepeatedKeys()
    assert not any(repeated.is_repeat("1", 80, None) for _ in range(3))
    assert not repeated.is_repeat("1", 80, 5)


def test_clock_that_is_set_back_loses_no_key() -> None:
    assert told([("1", 0), ("2", 60), ("2", -5000), ("2", 400)]) == "1222"
