"""Barge-in in samples at 8 kHz; 1 ms is 8 samples."""

from parley.conversation.barge_in import BargeIn

MS = 8
LOUD, QUIET, NOTHING = -20.0, -60.0, -100.0


def burst_from(position: int) -> BargeIn:
    barge_in = BargeIn(min_speech=160 * MS, max_drop_db=15.0)
    barge_in.speech_started(position)
    return barge_in


def test_voice_counts_once_it_has_lasted_long_enough() -> None:
    barge_in = burst_from(1000 * MS)
    assert not barge_in.block_heard(1159 * MS, LOUD, LOUD)
    assert barge_in.block_heard(1160 * MS, LOUD, LOUD)


def test_voice_that_has_fallen_silent_already_does_not_count() -> None:
    assert not burst_from(1000 * MS).block_heard(1200 * MS, LOUD, QUIET)


def test_voice_that_comes_back_after_a_stop_consonant_counts() -> None:
    barge_in = burst_from(1000 * MS)
    assert not barge_in.block_heard(1180 * MS, LOUD, QUIET)
    assert barge_in.block_heard(1240 * MS, LOUD, LOUD)


def test_detector_is_believed_when_the_audio_of_the_onset_is_missing() -> None:
    assert burst_from(1000 * MS).block_heard(1200 * MS, NOTHING, NOTHING)


def test_end_of_a_short_sound_is_the_end_of_it() -> None:
    barge_in = burst_from(1000 * MS)
    assert not barge_in.speech_stopped(1100 * MS)
    assert barge_in.started is None
    assert not barge_in.block_heard(1400 * MS, LOUD, LOUD)


def test_long_enough_burst_counts_at_its_end_at_the_latest() -> None:
    barge_in = burst_from(1000 * MS)
    assert barge_in.speech_stopped(1200 * MS)


def test_end_without_a_burst_does_not_count() -> None:
    assert not BargeIn(min_speech=160 * MS, max_drop_db=15.0).speech_stopped(1000 * MS)


# --- with a voice detector ----------------------------------------------------------------------------------


def judged_burst_from(position: int) -> BargeIn:
    barge_in = BargeIn(min_speech=160 * MS, max_drop_db=15.0, is_judged=True)
    barge_in.speech_started(position)
    return barge_in


def test_loud_sound_counts_when_it_is_found_to_be_a_voice() -> None:
    barge_in = judged_burst_from(1000 * MS)
    assert not barge_in.block_heard(1160 * MS, LOUD, LOUD)
    assert barge_in.judged(is_voice=True)


def test_voice_found_early_counts_once_it_has_lasted_long_enough() -> None:
    barge_in = judged_burst_from(1000 * MS)
    assert not barge_in.judged(is_voice=True)
    assert not barge_in.block_heard(1120 * MS, LOUD, LOUD)
    assert barge_in.block_heard(1180 * MS, LOUD, LOUD)


def test_doubted_sound_counts_neither_while_it_lasts_nor_at_its_end() -> None:
    barge_in = judged_burst_from(1000 * MS)
    assert not barge_in.judged(is_voice=False)
    assert not barge_in.block_heard(1400 * MS, LOUD, LOUD)
    assert not barge_in.verdict_missing()
    assert not barge_in.speech_stopped(1500 * MS)


def test_loud_sound_counts_when_its_verdict_is_not_waited_for_any_longer() -> None:
    barge_in = judged_burst_from(1000 * MS)
    assert not barge_in.block_heard(1180 * MS, LOUD, LOUD)
    assert barge_in.verdict_missing()


def test_long_sound_without_a_verdict_counts_at_its_end() -> None:
    assert judged_burst_from(1000 * MS).speech_stopped(1200 * MS)
