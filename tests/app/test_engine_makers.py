"""Which engines a worker has, by its settings."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from parley.app.engine_makers import make_engines
from parley.app.engine_settings import EngineSettings, FasterWhisperSettings, OpenaiSettings, PiperSettings


def test_engines_that_need_settings_are_off_without_them() -> None:
    engines = make_engines(EngineSettings())
    assert "piper" not in engines.synthesizers
    assert not engines.chat_models
    assert sorted(engines.recognizers) == ["pocketsphinx"]


def test_engine_whose_parts_are_missing_is_left_out_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        engines = make_engines(EngineSettings(piper=PiperSettings(folder=tmp_path)))
    assert "piper" not in engines.synthesizers
    [record] = [record for record in caplog.records if getattr(record, "engine", "") == "piper"]
    assert getattr(record, "problem", "").startswith("engines.piper.folder")


def test_language_model_behind_a_server_needs_nothing_but_its_address() -> None:
    engines = make_engines(EngineSettings(openai=OpenaiSettings(url="http://127.0.0.1:9/v1")))
    assert list(engines.chat_models) == ["openai"]


def test_language_model_without_its_key_file_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    openai = OpenaiSettings(url="http://127.0.0.1:9/v1", api_key_file=tmp_path / "absent")
    engines = make_engines(EngineSettings(openai=openai))
    assert not engines.chat_models
    assert any("api_key_file" in getattr(record, "problem", "") for record in caplog.records)


def test_recogniser_whose_parts_are_missing_is_left_out_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        engines = make_engines(EngineSettings(faster_whisper=FasterWhisperSettings(model=str(tmp_path))))
    assert "faster-whisper" not in engines.recognizers
    [record] = [record for record in caplog.records if getattr(record, "engine", "") == "faster-whisper"]
    assert "parley models list" in getattr(record, "problem", "") or "pip install" in getattr(record, "problem", "")
