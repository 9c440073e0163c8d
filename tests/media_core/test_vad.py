"""Voice detection on made signals, on synthetic speech where there is any, and on recordings where they lie beside."""

from __future__ import annotations

import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_core import EnergyVad, FrameSizeError, RateError, Resampler, SpeechEdge
from tests.media_core.signals import Samples, amplitude, noise, sine, split, to_pcm, to_samples, voice

FRAME_OCTETS = 320
RECORDINGS = Path(__file__).parents[3] / "shared" / "audio" / "librivox"


def edges(samples: Samples, vad: EnergyVad | None = None) -> list[tuple[bool, int]]:
    """Feed frames of 20 ms; return the edges as (began, position)."""
    vad = vad or EnergyVad(8000)
    pcm = to_pcm(samples)
    return [
        (edge.started, edge.position)
        for start in range(0, len(pcm), FRAME_OCTETS)
        for edge in vad.feed(pcm[start : start + FRAME_OCTETS])
    ]


def in_line(speech: Samples, noise_dbfs: float, lead_s: float = 1.0, tail_s: float = 1.0) -> Samples:
    """Put speech into a noisy line."""
    quiet = np.concatenate([np.zeros(int(lead_s * 8000)), speech, np.zeros(int(tail_s * 8000))])
    return quiet + noise(noise_dbfs, len(quiet) / 8000)[: len(quiet)]


def at_level(speech: Samples, level_dbfs: float) -> Samples:
    """Scale speech so that what is not pause has this level."""
    energies = np.mean(speech[: len(speech) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    active = energies[energies > energies.max() / 1000.0]
    scaled: Samples = speech * amplitude(level_dbfs) / np.sqrt(np.mean(active))
    return scaled


def read_wave(path: Path) -> Samples:
    """Read a mono recording at 8000 Hz."""
    with wave.open(str(path)) as recording:
        rate_hz = recording.getframerate()
        pcm = recording.readframes(recording.getnframes())
    return to_samples(Resampler(rate_hz, 8000).process(pcm))


@pytest.mark.parametrize("level_dbfs", [-60.0, -55.0, -50.0, -45.0])
def test_steady_line_noise_is_no_speech(level_dbfs: float) -> None:
    vad = EnergyVad(8000)
    assert edges(noise(level_dbfs, 30.0), vad) == []
    assert vad.noise_floor_dbfs == pytest.approx(level_dbfs, abs=2.5)


def test_digital_silence_is_no_speech_and_tells_nothing_of_the_line() -> None:
    vad = EnergyVad(8000)
    before = vad.noise_floor_dbfs
    assert edges(np.zeros(80000), vad) == []
    assert vad.noise_floor_dbfs == before


def test_noise_that_comes_back_after_digital_silence_is_no_speech() -> None:
    line = np.concatenate([noise(-46.0, 2.0), np.zeros(24000), noise(-46.0, 3.0)])
    assert edges(line) == []


@pytest.mark.parametrize("click_ms", [1, 5, 20, 30])
def test_single_clicks_are_no_speech(click_ms: int) -> None:
    line = noise(-60.0, 10.0)
    for start in range(4000, 76000, 4000):
        line[start : start + click_ms * 8] += 20000.0
    assert edges(line) == []


def test_hum_of_the_mains_is_no_speech() -> None:
    assert edges(noise(-60.0, 10.0) + sine(50.0, 10.0, 8000, -38.0) + 500.0) == []


@pytest.mark.parametrize("noise_dbfs", [-60.0, -50.0])
@pytest.mark.parametrize("level_dbfs", [-35.0, -25.0, -15.0])
def test_a_voice_is_found_where_it_is(level_dbfs: float, noise_dbfs: float) -> None:
    found = edges(in_line(voice(level_dbfs, 2.0), noise_dbfs))
    assert found[0][0]
    assert found[0][1] == pytest.approx(8000, abs=400)
    assert not found[-1][0]
    assert found[-1][1] == pytest.approx(24000, abs=800)
    assert [began for began, _ in found] == [True, False] * (len(found) // 2)


def test_speech_begins_after_60_ms_of_it_and_at_its_first_sample() -> None:
    vad = EnergyVad(8000)
    assert edges(np.concatenate([noise(-60.0, 1.0), noise(-20.0, 0.05)]), vad) == []
    assert edges(noise(-20.0, 0.02), vad) == [(True, 8000)]
    assert vad.speaking


def test_speech_ends_after_the_hangover_and_at_its_last_sample() -> None:
    vad = EnergyVad(8000, hangover_ms=140)
    edges(np.concatenate([noise(-60.0, 1.0), noise(-20.0, 0.2)]), vad)
    assert edges(noise(-60.0, 0.13), vad) == []
    assert edges(noise(-60.0, 0.02), vad) == [(False, 9600)]
    assert not vad.speaking


def test_a_click_in_the_hangover_does_not_prolong_speech() -> None:
    line = np.concatenate([noise(-60.0, 1.0), noise(-20.0, 0.2), noise(-60.0, 0.5)])
    line[9600 + 800 : 9600 + 808] += 20000.0
    assert edges(line) == [(True, 8000), (False, 9600)]


def test_pauses_shorter_than_the_hangover_are_part_of_speech() -> None:
    word = noise(-20.0, 0.2)
    line = np.concatenate([noise(-60.0, 1.0), word, noise(-60.0, 0.12), word, noise(-60.0, 0.5)])
    assert edges(line) == [(True, 8000), (False, 8000 + 1600 + 960 + 1600)]


def test_a_line_that_grows_loud_is_speech_for_no_more_than_three_seconds() -> None:
    found = edges(np.concatenate([noise(-60.0, 2.0), noise(-35.0, 10.0)]))
    assert [began for began, _ in found] == [True, False]
    assert found[1][1] <= 16000 + 3 * 8000


def test_positions_count_from_the_start_given() -> None:
    line = in_line(voice(-20.0, 1.0), -60.0)
    found = edges(line)
    vad = EnergyVad(8000, start_position=1_000_000)
    assert edges(line, vad) == [(began, position + 1_000_000) for began, position in found]
    assert vad.position == 1_000_000 + len(line)


@pytest.mark.parametrize("rate_hz", [16000, 24000, 48000])
def test_other_rates_find_the_same_times(rate_hz: int) -> None:
    speech = in_line(voice(-20.0, 1.0), -60.0)
    resampled = to_samples(Resampler(8000, rate_hz).process(to_pcm(speech)))
    found = edges(resampled, EnergyVad(rate_hz))
    expected = edges(speech)
    assert [began for began, _ in found] == [began for began, _ in expected]
    for (_, position), (_, other) in zip(found, expected, strict=True):
        assert position * 8000 / rate_hz == pytest.approx(other, abs=240)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 24000), max_size=12))
def test_splitting_the_stream_makes_no_difference(cuts: list[int]) -> None:
    pcm = to_pcm(in_line(voice(-25.0, 1.0), -55.0))
    vad, whole = EnergyVad(8000), EnergyVad(8000)
    found = [(edge.started, edge.position) for piece in split(pcm, cuts) for edge in vad.feed(piece)]
    assert found == [(edge.started, edge.position) for edge in whole.feed(pcm)]
    assert len(found) >= 2


@pytest.mark.parametrize(("level_dbfs", "noise_dbfs"), [(-20.0, -60.0), (-35.0, -60.0), (-25.0, -45.0)])
def test_synthetic_speech_is_found(level_dbfs: float, noise_dbfs: float, tmp_path: Path) -> None:
    flite = shutil.which("flite")
    if flite is None:
        pytest.skip("flite is not installed: tried on made signals only")
    path = tmp_path / "speech.wav"
    text = "Yes, I would like to change my appointment to Tuesday at three."
    subprocess.run([flite, "-t", text, "-o", str(path)], check=True, timeout=20)
    speech = at_level(read_wave(path), level_dbfs)
    assert_found(speech, noise_dbfs)


@pytest.mark.parametrize("level_dbfs", [-20.0, -35.0])
def test_recorded_speech_is_found(level_dbfs: float) -> None:
    paths = sorted(RECORDINGS.glob("*.wav"))[:5]
    if not paths:
        pytest.skip("no recordings beside the repository: tried on made signals only")
    for path in paths:
        assert_found(at_level(read_wave(path), level_dbfs), -60.0)


def assert_found(speech: Samples, noise_dbfs: float) -> None:
    """Check that speech is found from its beginning to its end, and nothing beside it."""
    energies = np.mean(speech[: len(speech) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    loud = np.flatnonzero(energies > energies.max() / 30.0) * 160
    found = edges(in_line(speech, noise_dbfs))
    assert 8000 - 1600 <= found[0][1] <= 8000 + loud[0] + 1600
    assert 8000 + loud[-1] - 1600 <= found[-1][1] <= 8000 + len(speech) + 1600


def test_nothing_in_gives_no_edges() -> None:
    vad = EnergyVad(8000)
    assert list(vad.feed(b"")) == []
    assert vad.position == 0


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(RateError):
        EnergyVad(11025)
    for duration_ms in (0, 5, 65, 510):
        with pytest.raises(FrameSizeError):
            EnergyVad(8000, onset_ms=duration_ms)
        with pytest.raises(FrameSizeError):
            EnergyVad(8000, hangover_ms=duration_ms)
    with pytest.raises(FrameSizeError):
        EnergyVad(8000).feed(b"\x00")
    with pytest.raises(TypeError):
        SpeechEdge()
