"""Key entries in samples at 8 kHz."""

from parley.conversation.flow.step import KeyPlan
from parley.conversation.keypad import KeyEntry


def entry_of(plan: KeyPlan, keys: str, *, every: int = 800) -> KeyEntry:
    entry = KeyEntry(plan, 8000)
    for index, key in enumerate(keys):
        entry.press(key, index * every)
    return entry


def test_single_key_is_a_complete_entry() -> None:
    entry = entry_of(KeyPlan(), "7")
    assert entry.complete
    assert entry.digits == "7"
    assert entry.decide_at is None


def test_entry_is_complete_with_its_last_digit() -> None:
    assert not entry_of(KeyPlan(max_digits=4), "123").complete
    assert entry_of(KeyPlan(max_digits=4), "1234").complete


def test_terminator_ends_the_entry_and_is_left_out() -> None:
    entry = entry_of(KeyPlan(max_digits=10), "42#")
    assert entry.complete
    assert entry.digits == "42"


def test_terminator_pressed_alone_is_the_entry() -> None:
    entry = entry_of(KeyPlan(max_digits=10), "#")
    assert entry.complete
    assert entry.digits == "#"


def test_plan_without_terminator_takes_every_key_as_a_digit() -> None:
    assert entry_of(KeyPlan(max_digits=3, terminator=""), "1#2").digits == "1#2"


def test_pause_completes_the_entry_only_when_it_is_long_enough() -> None:
    entry = entry_of(KeyPlan(max_digits=4, inter_digit_ms=3000), "12")
    assert entry.decide_at == 800 + 24_000
    entry.decide(800 + 23_999)
    assert not entry.complete
    entry.decide(800 + 24_000)
    assert entry.complete
    assert entry.digits == "12"


def test_every_key_starts_the_pause_again() -> None:
    entry = entry_of(KeyPlan(max_digits=4), "12", every=16_000)
    assert entry.decide_at == 16_000 + 24_000
    assert (entry.first_key, entry.last_key) == (0, 16_000)


def test_keys_after_the_end_are_ignored() -> None:
    assert entry_of(KeyPlan(), "12").digits == "1"


def test_nothing_is_decided_before_the_first_key() -> None:
    entry = KeyEntry(KeyPlan(), 8000)
    entry.decide(10**9)
    assert not entry.complete
