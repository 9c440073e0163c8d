"""Which part of the phone's recording an interrupted utterance is judged by."""

from benchmarks.heard_text import SETTLE_S, Said, recording_of
from benchmarks.heard_words import ToneWords, judge
from tests.support.recording import RATE_HZ, Recording

TEXT = "your appointment is on Thursday."
BEGUN_S = 10.0
PCM = ToneWords(TEXT, RATE_HZ).pcm
LATE_MS = 50
"""A stretch of packets that came so late and was laid by its time stamps all the same."""


def said(phone: Recording) -> Said:
    """Return the utterance that begins the recording, heard to its end."""
    return Said(TEXT, TEXT, BEGUN_S, phone.end_s + SETTLE_S, aligned=True)


def test_first_word_is_whole_although_the_phone_laid_it_before_it_was_asked_for() -> None:
    phone = Recording()
    phone.write(BEGUN_S - LATE_MS / 1000, PCM)
    judgement = judge(TEXT, TEXT, recording_of(said(phone), phone))
    assert (judgement.heard, judgement.remaining, judgement.lost) == (5, 0, 0)


def test_next_utterance_makes_up_for_nothing_that_is_lacking() -> None:
    phone = Recording()
    lacking = LATE_MS * RATE_HZ // 1000 * 2
    phone.write(BEGUN_S, PCM[lacking:])
    one = said(phone)
    phone.write(one.ended_s - LATE_MS / 1000, PCM)
    judgement = judge(TEXT, TEXT, recording_of(one, phone))
    assert (judgement.remaining, judgement.lost) == (1, 0)
