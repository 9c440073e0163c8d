"""The engines of a worker: those that need no settings, and those that the settings switch on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from parley.app.engine_settings import (
    EngineSettings,
    FasterWhisperSettings,
    LlamaSettings,
    OpenaiSettings,
    OpenaiWhisperSettings,
)
from parley.app.settings_tables import SettingsError
from parley.conversation.errors import EngineMissing
from parley.conversation.ports import ChatModel, Recognizer, Synthesizer
from parley.engines import catalogue
from parley.engines.faster_whisper_model import FasterWhisper, FasterWhisperOptions
from parley.engines.llama_chat_model import LlamaChatModel
from parley.engines.openai_chat_model import OpenaiChatModel
from parley.engines.openai_whisper_model import OpenaiWhisper, OpenaiWhisperOptions
from parley.engines.piper_synthesizer import PiperSynthesizer
from parley.engines.whisper_recognizer import WhisperLimits, WhisperRecognizer
from parley.inference.registry import Engines

logger = logging.getLogger(__name__)

Engine = TypeVar("Engine")


def make_engines(settings: EngineSettings) -> Engines:
    """Make the engines whose parts are installed; the log names those left out, and why."""
    return Engines(
        recognizers=_available(
            {name: partial(catalogue.recognizer, name) for name in catalogue.RECOGNIZERS} | _recognizers(settings)
        ),
        synthesizers=_available(
            {name: partial(catalogue.synthesizer, name) for name in catalogue.SYNTHESIZERS} | _synthesizers(settings)
        ),
        chat_models=_available(_chat_models(settings)),
    )


def _recognizers(settings: EngineSettings) -> dict[str, Callable[[], Recognizer]]:
    makers: dict[str, Callable[[], Recognizer]] = {}
    if settings.faster_whisper is not None:
        makers["faster-whisper"] = partial(_faster_whisper, settings.faster_whisper)
    if settings.openai_whisper is not None:
        makers["openai-whisper"] = partial(_openai_whisper, settings.openai_whisper)
    return makers


def _faster_whisper(settings: FasterWhisperSettings) -> WhisperRecognizer:
    limits = _limits(settings.slots, settings.partial_ms)
    options = FasterWhisperOptions(
        folder=Path(settings.model),
        slots=limits.slots,
        threads=settings.threads,
        device=settings.device,
        compute=settings.compute,
    )
    return WhisperRecognizer(FasterWhisper(options), limits)


def _openai_whisper(settings: OpenaiWhisperSettings) -> WhisperRecognizer:
    options = OpenaiWhisperOptions(Path(settings.model), settings.threads, settings.device)
    return WhisperRecognizer(OpenaiWhisper(options), WhisperLimits(slots=1))


def _limits(slots: int, partial_ms: int) -> WhisperLimits:
    return WhisperLimits(slots=slots, partial_ms=partial_ms) if slots else WhisperLimits(partial_ms=partial_ms)


def _synthesizers(settings: EngineSettings) -> dict[str, Callable[[], Synthesizer]]:
    piper = settings.piper
    if piper is None:
        return {}
    return {"piper": lambda: PiperSynthesizer(piper.folder, threads=piper.threads, at_once=piper.at_once)}


def _chat_models(settings: EngineSettings) -> dict[str, Callable[[], ChatModel]]:
    makers: dict[str, Callable[[], ChatModel]] = {}
    if settings.openai is not None:
        makers["openai"] = partial(_openai, settings.openai)
    if settings.llama is not None:
        makers["llama"] = partial(_llama, settings.llama)
    return makers


def _openai(settings: OpenaiSettings) -> OpenaiChatModel:
    try:
        api_key = settings.read_api_key()
    except SettingsError as err:
        raise EngineMissing(str(err)) from err
    return OpenaiChatModel(
        settings.url,
        model=settings.model,
        api_key=api_key,
        first_text_s=settings.first_text_s,
        at_once=settings.at_once,
    )


def _llama(settings: LlamaSettings) -> LlamaChatModel:
    return LlamaChatModel(
        Path(settings.model),
        context_tokens=settings.context_tokens,
        contexts=settings.contexts,
        threads=settings.threads,
        waiting=settings.waiting,
        gpu_layers=settings.gpu_layers,
    )


def _available(makers: Mapping[str, Callable[[], Engine]]) -> dict[str, Engine]:
    engines: dict[str, Engine] = {}
    for name, make in makers.items():
        try:
            engines[name] = make()
        except EngineMissing as err:
            logger.warning("engine left out", extra={"engine": name, "problem": str(err)})
    return engines
