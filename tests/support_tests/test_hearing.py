from pathlib import Path

import numpy as np
import pytest

from tests.support.hearing import (
    first_sound_at,
    frequency_hz,
    heard,
    level_dbfs,
    silence_after,
    speech_segments,
)
from tests.support.phone_codec import ULAW
from tests.support.recording import Recording, load_wav, resample, save_wav, silence, tone
from tests.support.speech import caller_says, require_speech

RNG = np.random.default_rng(7)
SENTENCES = [
    ("I would like to know where my order is.", "rms"),
    ("The weather is fine today and tomorrow it rains.", "rms"),
    ("Thank you for calling. How can I help you?", "slt"),
    ("Please hold the line, I will put you through.", "slt"),
]


@pytest.fixture(scope="module")
def clips() -> list[bytes]:
    require_speech()
    return [caller_says(words, voice) for words, voice in SENTENCES]


def through_the_phone(pcm: bytes) -> bytes:
    return ULAW.decode(ULAW.encode(pcm))


def test_sentence_is_heard_through_the_codec_at_its_place(clips: list[bytes]) -> None:
    for clip in clips:
        result = heard(silence(0.731) + through_the_phone(clip) + silence(0.5), clip)
        assert result.correlation > 0.95
        assert result.offset_ms == pytest.approx(731, abs=1)


def test_other_sentences_of_the_same_voice_are_not_heard(clips: list[bytes]) -> None:
    results = [heard(silence(0.5) + clip + silence(0.5), other) for clip in clips for other in clips if clip != other]
    assert all(result.not_at_all for result in results), results


def test_sentence_under_noise_is_heard(clips: list[bytes]) -> None:
    line = np.frombuffer(through_the_phone(clips[0]), dtype="<i2") + RNG.normal(0, 300, len(clips[0]) // 2)
    assert heard(line.astype("<i2").tobytes(), clips[0]).clearly


def test_sentence_with_a_gap_in_the_middle_is_heard(clips: list[bytes]) -> None:
    half = len(clips[0]) // 4 * 2
    line = clips[0][:half] + silence(0.043) + clips[0][half:]
    assert heard(line, clips[0]).correlation > 0.8


def test_silence_and_noise_contain_no_sentence(clips: list[bytes]) -> None:
    noise = RNG.normal(0, 3000, 24000).astype("<i2").tobytes()
    assert heard(silence(3.0), clips[0]).correlation == 0
    assert heard(b"", clips[0]).correlation == 0
    assert heard(noise, clips[0]).not_at_all


def test_sentence_that_was_cut_short_is_not_fully_heard(clips: list[bytes]) -> None:
    assert heard(clips[0][: len(clips[0]) // 3 // 2 * 2], clips[0]).correlation < 0.5


def test_segments_lie_where_the_sound_lies() -> None:
    line = silence(0.5) + tone(400, 0.4) + silence(0.1) + tone(400, 0.2) + silence(0.6) + tone(400, 0.3)
    found = [(segment.start_s, segment.end_s) for segment in speech_segments(line)]
    assert found == [pytest.approx((0.5, 1.2), abs=0.02), pytest.approx((1.8, 2.1), abs=0.02)]


def test_times_of_a_recording_are_those_of_the_clock() -> None:
    recording = Recording()
    recording.write(100.0, silence(0.2))
    recording.write(100.2, tone(400, 0.5))
    recording.write(101.5, tone(400, 0.5))
    assert first_sound_at(recording) == pytest.approx(100.2, abs=0.005)
    assert first_sound_at(recording, 100.9) == pytest.approx(101.5, abs=0.005)
    assert first_sound_at(recording, 102.5) is None
    assert silence_after(recording, 100.4) == pytest.approx(100.7, abs=0.02)
    assert silence_after(recording, 101.0) == 101.0
    assert recording.end_s == pytest.approx(102.0)


def test_gap_in_a_recording_is_silence_and_late_pieces_find_their_place() -> None:
    recording = Recording()
    recording.write(50.02, b"\x02\x00" * 160)
    recording.write(50.0, b"\x01\x00" * 160)
    recording.write(50.06, b"\x03\x00" * 160)
    assert recording.samples().reshape(-1, 160)[:, 0].tolist() == [1, 2, 0, 3]
    assert len(recording.samples(50.01, 50.03)) == 160


def test_frequency_and_level_of_a_tone() -> None:
    assert frequency_hz(tone(440, 1.0)) == pytest.approx(440, abs=1)
    assert frequency_hz(silence(1.0)) == 0
    assert level_dbfs(tone(440, 1.0, 16384)) == pytest.approx(-9, abs=0.1)


def test_wav_of_another_rate_is_read_at_eight_kilohertz(tmp_path: Path) -> None:
    time_s = np.arange(16000) / 16000
    wide = np.rint(8000 * np.sin(2 * np.pi * 440 * time_s)).astype("<i2")
    save_wav(tmp_path / "wide.wav", wide.tobytes(), 16000)
    assert frequency_hz(load_wav(tmp_path / "wide.wav")) == pytest.approx(440, abs=1)
    assert len(resample(wide, 16000)) == 8000
