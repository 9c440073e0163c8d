"""Main of the inference worker: hosts the engines of this machine behind gRPC.

The node starts it (see `node`), or a site starts it elsewhere: `python -m parley.app.worker --address HOST:PORT`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar, runtime_checkable

from parley.app.logs import configure_logging
from parley.app.notify import Notifier
from parley.conversation.errors import EngineError, EngineMissing
from parley.engines import catalogue
from parley.inference.registry import Engines
from parley.inference.server import ignore_stop_signals, serve

logger = logging.getLogger(__name__)

Engine = TypeVar("Engine")
STDIN = 0


@runtime_checkable
class WarmsUp(Protocol):
    """An engine that can load its model before it is first used."""

    async def warm_up(self) -> None:
        """Load it. Raises EngineError."""
        ...


def main() -> int:
    """Serve until told to stop; as a child, until the node that started us closes our standard input or is gone."""
    arguments = _arguments()
    if arguments.child:
        ignore_stop_signals()  # before models are loaded: `serve()` comes after that
    configure_logging(arguments.json_lines, arguments.log_level, False)
    engines = Engines(
        recognizers=_available(catalogue.recognizer, catalogue.RECOGNIZERS),
        synthesizers=_available(catalogue.synthesizer, catalogue.SYNTHESIZERS),
    )
    parent_pipe = STDIN if arguments.child else None
    try:
        asyncio.run(_serve(engines, arguments.address, parent_pipe))
    except OSError as err:
        logger.error("the worker cannot listen", extra={"problem": str(err)})
        return 1
    return 0


async def _serve(engines: Engines, address: str, parent_pipe: int | None) -> None:
    """Load models first, so that the first caller does not wait; healthy means ready."""
    for name, engine in engines.recognizers.items():
        if isinstance(engine, WarmsUp):
            try:
                await engine.warm_up()
            except EngineError as err:
                logger.warning("engine does not warm up", extra={"engine": name, "problem": str(err)})
    notifier = Notifier()
    async with notifier.beating():
        notifier.ready = True
        await serve(engines, address, parent_pipe=parent_pipe)


def _available(make: Callable[[str], Engine], names: Iterable[str]) -> dict[str, Engine]:
    """Make the engines whose parts are installed; a call that wants another gets EngineMissing."""
    engines: dict[str, Engine] = {}
    for name in names:
        try:
            engines[name] = make(name)
        except EngineMissing as err:
            logger.warning("engine left out", extra={"engine": name, "problem": str(err)})
    return engines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parley.app.worker", description=__doc__)
    parser.add_argument(
        "--address", required=True, help="unix:PATH or HOST:PORT (loopback, unless the network is safe)"
    )
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--json-lines", action="store_true")
    parser.add_argument("--child", action="store_true", help="end when standard input does, not by signals")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
