"""The engines of a worker: those that need no settings, and those that the settings switch on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from parley.app.engine_settings import EngineSettings, LlamaSettings, OpenaiSettings
from parley.app.settings_tables import SettingsError
from parley.conversation.errors import EngineMissing
from parley.conversation.ports import ChatModel, Synthesizer
from parley.engines import catalogue
from parley.engines.llama_chat_model import LlamaChatModel
from parley.engines.openai_chat_model import OpenaiChatModel
from parley.engines.piper_synthesizer import PiperSynthesizer
from parley.inference.registry import Engines

logger = logging.getLogger(__name__)

Engine = TypeVar("Engine")


def make_engines(settings: EngineSettings) -> Engines:
    """Make the engines whose parts are installed; the log names those left out, and why."""
    return Engines(
        recognizers=_available({name: partial(catalogue.recognizer, name) for name in catalogue.RECOGNIZERS}),
        synthesizers=_available(
            {name: partial(catalogue.synthesizer, name) for name in catalogue.SYNTHESIZERS} | _synthesizers(settings)
        ),
        chat_models=_available(_chat_models(settings)),
    )


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
        settings.model,
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
