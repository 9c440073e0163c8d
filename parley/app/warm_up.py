"""Loading the models of a worker's engines before it takes requests, and ending the engines with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, TypeVar, runtime_checkable

from parley.conversation.errors import EngineError, EngineTimeout
from parley.inference.load_time import LOAD_S
from parley.inference.registry import Engines

logger = logging.getLogger(__name__)

Engine = TypeVar("Engine")


@runtime_checkable
class WarmsUp(Protocol):
    """An engine that can load its model before it is first used."""

    async def warm_up(self) -> None:
        """Load it. Raises EngineError."""
        ...


@runtime_checkable
class ClosesLater(Protocol):
    """An engine that takes a moment to release what it holds."""

    async def aclose(self) -> None:
        """Release it."""
        ...


@runtime_checkable
class Closes(Protocol):
    """An engine that holds threads or processes."""

    def close(self) -> None:
        """End them."""
        ...


async def warmed_up(engines: Engines, within_s: float = LOAD_S) -> Engines:
    """Load all models side by side; return the engines that can work. The log names the others, and why."""
    recognizers, synthesizers, chat_models = await asyncio.gather(
        _able(engines.recognizers, within_s),
        _able(engines.synthesizers, within_s),
        _able(engines.chat_models, within_s),
    )
    return replace(engines, recognizers=recognizers, synthesizers=synthesizers, chat_models=chat_models)


async def close(engines: Engines) -> None:
    """End what the engines hold. One that fails in it does not keep the others from it."""
    named = [*engines.recognizers.items(), *engines.synthesizers.items(), *engines.chat_models.items()]
    outcomes = await asyncio.gather(*(_close(engine) for _, engine in named), return_exceptions=True)
    for (name, _), outcome in zip(named, outcomes, strict=True):
        if outcome is not None:
            logger.warning("engine does not close", extra={"engine": name, "problem": type(outcome).__name__})


async def _able(engines: Mapping[str, Engine], within_s: float) -> dict[str, Engine]:
    # Whatever a foreign library raises: it shall not take the other engines with it.
    outcomes = await asyncio.gather(*(_load(engine, within_s) for engine in engines.values()), return_exceptions=True)
    able = {}
    for (name, engine), outcome in zip(engines.items(), outcomes, strict=True):
        if outcome is None:
            able[name] = engine
        else:
            logger.warning("engine left out", extra={"engine": name, "problem": _told(outcome)})
    return able


async def _load(engine: object, within_s: float) -> None:
    if not isinstance(engine, WarmsUp):
        return
    try:
        async with asyncio.timeout(within_s):
            await engine.warm_up()
    except TimeoutError as err:
        raise EngineTimeout(f"its model is not loaded after {within_s:g} s") from err


async def _close(engine: object) -> None:
    if isinstance(engine, ClosesLater):
        await engine.aclose()
    elif isinstance(engine, Closes):
        engine.close()


def _told(error: BaseException) -> str:
    return str(error) or error.code if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"
