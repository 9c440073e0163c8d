"""Verdicts in samples at 8 kHz; a chunk is 256 samples, 32 ms."""

from parley.conversation.ports import VoiceJudged
from parley.engines.burst_verdict import BurstVerdict

CHUNK = 256
BURST = 10 * CHUNK


def verdicts_on(*likely: float, first: int = BURST) -> list[VoiceJudged]:
    verdict = BurstVerdict(BURST, 8000, threshold=0.5)
    judged = [verdict.take(first + (n + 1) * CHUNK, probability) for n, probability in enumerate(likely)]
    return [one for one in judged if one is not None]


def test_two_likely_chunks_in_a_row_are_a_voice() -> None:
    assert verdicts_on(0.1, 0.9, 0.9) == [VoiceJudged(BURST, BURST + 3 * CHUNK, is_voice=True)]


def test_single_likely_chunk_is_a_click() -> None:
    assert verdicts_on(0.9, 0.1, 0.9) == []


def test_burst_without_anything_likely_is_doubted_once() -> None:
    assert verdicts_on(*[0.1] * 8) == [VoiceJudged(BURST, BURST + 4 * CHUNK, is_voice=False)]


def test_voice_may_begin_in_a_burst_that_was_doubted_and_is_the_last_word_on_it() -> None:
    judged = verdicts_on(0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9)
    assert [one.is_voice for one in judged] == [False, True]


def test_burst_that_looks_likely_just_now_is_not_doubted_yet() -> None:
    assert [one.is_voice for one in verdicts_on(0.1, 0.1, 0.1, 0.9, 0.9)] == [True]


def test_what_came_before_the_burst_says_nothing_about_it() -> None:
    assert verdicts_on(0.9, 0.9, 0.9, 0.1, first=BURST - 3 * CHUNK) == []
