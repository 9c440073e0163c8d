"""Piper's adapter around voices that are fakes, and without any; with the library: test_piper_real.py."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from parley.conversation.errors import EngineError, EngineMissing
from parley.conversation.ports import SpeechRequest
from parley.engines.piper_synthesizer import PiperSynthesizer
from tests.contract.synthesizer_contract import chunks_of


class Piper:
    """What piper_voice offers, without piper: voices that say nothing but a loud half second."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.loads: list[str] = []
        self.said: list[str] = []

    def voice(self, model: Path, threads: int) -> SimpleNamespace:
        self.loads.append(model.stem)
        self.go_on.wait(10)
        if "broken" in model.stem:
            raise EngineMissing(f"{model.stem} is not whole")
        return SimpleNamespace(rate_hz=16000, speak=self.speak)

    def speak(self, text: str, breaker: object) -> Iterator[SimpleNamespace]:
        self.said.append(text)
        yield SimpleNamespace(pcm=b"\x00\x20\x00\xe0" * 4000, words=[], ends=True)


@pytest.fixture
def piper(monkeypatch: pytest.MonkeyPatch) -> Piper:
    piper = Piper()
    breaker = partial(SimpleNamespace, stop=lambda: None)
    module = SimpleNamespace(Voice=piper.voice, Breaker=breaker)
    monkeypatch.setitem(sys.modules, "parley.engines.piper_voice", module)
    return piper


def synthesizer(folder: Path, *voices: str) -> PiperSynthesizer:
    for voice in voices:
        (folder / f"{voice}.onnx").touch()
    return PiperSynthesizer(folder)


def request(text: str = "Hello.", voice: str = "") -> SpeechRequest:
    return SpeechRequest(text, "en", voice, 8000)


def test_without_the_package_it_is_missing_and_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "voice.onnx").touch()
    monkeypatch.setitem(sys.modules, "parley.engines.piper_voice", None)
    with pytest.raises(EngineMissing, match=r"pip install 'parley\[piper\]'"):
        PiperSynthesizer(tmp_path)


@pytest.mark.parametrize("folder", ["", "absent"])
def test_folder_without_a_voice_is_missing_and_told_what_belongs_there(tmp_path: Path, folder: str) -> None:
    with pytest.raises(EngineMissing, match=r"has no voice: put NAME\.onnx and NAME\.onnx\.json there"):
        PiperSynthesizer(tmp_path / folder)


async def test_voice_is_loaded_once_though_nobody_waits_for_it_any_more(tmp_path: Path, piper: Piper) -> None:
    voices = synthesizer(tmp_path, "en_one")
    piper.go_on.clear()
    impatient = [asyncio.create_task(chunks_of(voices, request())) for _ in range(2)]
    while not piper.loads:
        await asyncio.sleep(0)
    for task in impatient:
        task.cancel()
    await asyncio.wait(impatient)
    piper.go_on.set()
    assert await chunks_of(voices, request())
    assert piper.loads == ["en_one"]


async def test_voice_that_could_not_be_loaded_is_tried_again(tmp_path: Path, piper: Piper) -> None:
    voices = synthesizer(tmp_path, "en_broken")
    for _ in range(2):
        with pytest.raises(EngineMissing, match="not whole"):
            await chunks_of(voices, request())
    assert piper.loads == ["en_broken"] * 2


async def test_bad_voice_is_left_out_at_start_and_the_others_are_warm(
    tmp_path: Path, piper: Piper, caplog: pytest.LogCaptureFixture
) -> None:
    voices = synthesizer(tmp_path, "en_broken", "en_one", "zh_two")
    with caplog.at_level(logging.WARNING):
        await voices.warm_up()
    assert list(voices.voices()) == ["en_one", "zh_two"]
    assert voices.voice("en", "") == "en_one"
    assert [getattr(record, "voice", "") for record in caplog.records] == ["en_broken"]
    assert await chunks_of(voices, request())
    assert piper.loads == ["en_broken", "en_one", "zh_two"]


async def test_without_a_voice_that_loads_it_does_not_warm_up(tmp_path: Path, piper: Piper) -> None:
    with pytest.raises(EngineError, match="not whole"):
        await synthesizer(tmp_path, "en_broken").warm_up()


async def test_voice_that_comes_into_the_folder_later_waits_for_the_next_start(tmp_path: Path, piper: Piper) -> None:
    voices = synthesizer(tmp_path, "en_one")
    (tmp_path / "en_new.onnx").touch()
    assert list(voices.voices()) == ["en_one"]


@pytest.mark.parametrize("text", ["[[a]]", "[[[a]]]", "[[[[a]]", "[\n[a]]"])
async def test_no_brackets_reach_piper_that_it_takes_for_phonemes(tmp_path: Path, piper: Piper, text: str) -> None:
    await chunks_of(synthesizer(tmp_path, "en_one"), request(text))
    assert "[[" not in piper.said[0]
