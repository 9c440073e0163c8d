"""Recorded prompts from WAV files."""

import asyncio
import threading
import wave
from pathlib import Path

import pytest

from parley.conversation.errors import PromptError
from parley.conversation.recorded_prompts import load_prompt, prompt_audio

PCM = b"\x00\x10\x00\xf0" * 4000


def recording(path: Path, *, rate_hz: int = 8000, channels: int = 1, width: int = 2) -> str:
    with wave.open(str(path), "wb") as file:
        file.setframerate(rate_hz)
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.writeframes(PCM)
    return str(path)


def test_prompt_at_the_calls_rate_is_played_as_it_is(tmp_path: Path) -> None:
    assert load_prompt(recording(tmp_path / "a.wav"), 8000) == PCM


@pytest.mark.parametrize(("rate_hz", "call_rate_hz"), [(16000, 8000), (8000, 16000), (48000, 8000)])
def test_prompt_is_converted_to_the_calls_rate(tmp_path: Path, rate_hz: int, call_rate_hz: int) -> None:
    pcm = load_prompt(recording(tmp_path / "a.wav", rate_hz=rate_hz), call_rate_hz)
    assert len(pcm) == pytest.approx(len(PCM) * call_rate_hz / rate_hz, abs=200)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"channels": 2}, "16-bit mono"), ({"width": 1}, "16-bit mono"), ({"rate_hz": 11025}, "11025 Hz")],
)
def test_unusable_recording_is_named_with_its_fix(tmp_path: Path, options: dict[str, int], problem: str) -> None:
    path = recording(tmp_path / "b.wav", **options)
    with pytest.raises(PromptError, match=problem) as error:
        load_prompt(path, 8000)
    assert "b.wav" in str(error.value)


def test_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.wav").write_bytes(b"not a WAV")
    for name in ("c.wav", "not-there.wav"):
        with pytest.raises(PromptError, match=name):
            load_prompt(str(tmp_path / name), 8000)


async def test_first_call_that_plays_a_prompt_does_not_read_it_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[threading.Thread] = []

    def load(path: str, rate_hz: int) -> bytes:
        readers.append(threading.current_thread())
        return load_prompt(path, rate_hz)

    monkeypatch.setattr("parley.conversation.recorded_prompts.load_prompt", load)
    path = recording(tmp_path / "d.wav")
    assert await prompt_audio(path, 8000) == PCM
    assert len(readers) == 1
    assert readers[0] is not threading.main_thread()


async def test_prompt_that_was_played_before_is_there_at_once(tmp_path: Path) -> None:
    path = recording(tmp_path / "e.wav")
    await prompt_audio(path, 8000)
    (tmp_path / "e.wav").unlink()
    again = asyncio.create_task(prompt_audio(path, 8000))
    await asyncio.sleep(0)
    assert again.done()
    assert again.result() == PCM


async def test_prompt_that_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    path = str(tmp_path / "f.wav")
    with pytest.raises(PromptError):
        await prompt_audio(path, 8000)
    recording(tmp_path / "f.wav")
    assert await prompt_audio(path, 8000) == PCM
