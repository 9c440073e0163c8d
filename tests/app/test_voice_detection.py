"""A node's neural voice detector: there where it is asked for and can be had, else told in one line."""

import asyncio
import builtins
import logging
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from parley.app.doctor import check_machine
from parley.app.findings import Level
from parley.app.metrics import Metrics
from parley.app.settings import Settings
from parley.app.settings_tables import VadSettings
from parley.app.voice_detection import voice_detector, why_missing
from tests.contract.voice_detector_contract import BURST, PATIENCE_S, Verdicts, say
from tests.engines.speech import said
from tools import voice_model


def settings_in(folder: Path, engine: str = "silero") -> Settings:
    return Settings(data_dir=folder, vad=VadSettings.model_validate({"engine": engine}))


def without_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let its import fail as on a machine that does not have it."""
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> ModuleType:
        if name.split(".", maxsplit=1)[0] == "onnxruntime":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(record)["problem"] for record in caplog.records if record.levelno == logging.WARNING]


def test_sites_that_do_not_ask_for_it_get_energy_alone_and_no_word_about_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_onnxruntime(monkeypatch)
    with voice_detector(settings_in(tmp_path, "energy"), Metrics()) as detector:
        assert detector is None
    assert caplog.records == []


def test_missing_package_is_told_with_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_onnxruntime(monkeypatch)
    with voice_detector(settings_in(tmp_path), Metrics()) as detector:
        assert detector is None
    assert warnings_of(caplog) == [
        f"the package onnxruntime is not installed: {sys.executable} -m pip install 'parley[vad]'"
    ]


def test_missing_model_is_told_with_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("onnxruntime", reason="the extra vad is not installed")
    with voice_detector(settings_in(tmp_path), Metrics()) as detector:
        assert detector is None
    [told] = warnings_of(caplog)
    assert told == f"{tmp_path}/models/silero_vad.onnx is not there: `parley models pull silero` fetches it"


def test_damaged_model_is_told_with_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("onnxruntime", reason="the extra vad is not installed")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "silero_vad.onnx").write_bytes(b"half of it")
    with voice_detector(settings_in(tmp_path), Metrics()) as detector:
        assert detector is None
    [told] = warnings_of(caplog)
    assert "is not the Silero model: `parley models pull silero`" in told


def test_doctor_warns_of_what_is_missing_only_where_it_is_asked_for(tmp_path: Path) -> None:
    found = [finding for finding in check_machine(settings_in(tmp_path)) if finding.check == "voice detector"]
    assert [finding.level for finding in found] == [Level.WARNING]
    assert "pip install" in found[0].fix or "parley models pull silero" in found[0].fix
    assert not [one for one in check_machine(settings_in(tmp_path, "energy")) if one.check == "voice detector"]


@pytest.mark.skipif(voice_model.path() is None, reason="the model of silero was not fetched")
async def test_detector_of_a_node_finds_a_voice_and_shows_it_in_the_metrics(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra vad is not installed")
    (tmp_path / "models").mkdir()
    shutil.copy(str(voice_model.path()), tmp_path / "models")
    settings, metrics = settings_in(tmp_path), Metrics()
    assert why_missing(settings) == ""
    voice = (await said("my number is one two three"))[4000:12000]
    with voice_detector(settings, metrics) as detector:
        assert detector is not None
        verdicts = Verdicts()
        say(detector.attend(8000, BURST, verdicts.take), voice, 8000)
        async with asyncio.timeout(PATIENCE_S):
            while not verdicts.told or not verdicts.told[-1].is_voice:
                await asyncio.sleep(0)
        shown = {
            kind: metrics.registry.get_sample_value("parley_voice_detector", {"kind": kind})
            for kind in ("bursts", "voices", "lost")
        }
        assert shown == {"bursts": 1, "voices": 1, "lost": 0}
        assert metrics.registry.get_sample_value("parley_voice_verdict_seconds_count") == len(verdicts.told)
        assert metrics.registry.get_sample_value("parley_dropped_total", {"queue": "voice"}) == 0
