"""Main of the inference worker: hosts the engines of this machine behind gRPC.

The node starts it (see `node`), or a site starts it elsewhere:
`python -m parley.app.worker --address HOST:PORT --config parley.toml`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path

from parley.app.engine_makers import make_engines
from parley.app.engine_settings import EngineSettings, ToldEngines
from parley.app.exit_status import CANNOT_WORK
from parley.app.logs import configure_logging
from parley.app.notify import Notifier
from parley.app.settings import load_engines
from parley.app.settings_tables import SettingsError
from parley.app.warm_up import close, warmed_up
from parley.inference.registry import Engines
from parley.inference.server import ignore_stop_signals, serve

logger = logging.getLogger(__name__)

STDIN = 0


def main() -> int:
    """Serve until told to stop; as a child, until the node that started us closes our standard input or is gone."""
    arguments = _arguments()
    if arguments.child:
        ignore_stop_signals()  # before models are loaded: `serve()` comes after that
    configure_logging(arguments.json_lines, arguments.log_level, False)
    try:
        engines = make_engines(_settings(arguments))
    except SettingsError as err:
        logger.error("the settings cannot be used", extra={"problem": str(err)})
        return CANNOT_WORK
    parent_pipe = STDIN if arguments.child else None
    try:
        asyncio.run(_serve(engines, arguments.address, parent_pipe))
    except OSError as err:
        logger.error("the worker cannot listen", extra={"problem": str(err)})
        return 1
    return 0


async def _serve(engines: Engines, address: str, parent_pipe: int | None) -> None:
    """Load models first, so that the first caller does not wait; healthy means ready.

    Heartbeats begin after that: a library that is loaded can hold the interpreter for seconds, which looks like a hang.
    """
    try:
        able = await warmed_up(engines)
        notifier = Notifier()
        async with notifier.beating():
            notifier.ready = True
            await serve(able, address, parent_pipe=parent_pipe)
    finally:
        await close(engines)


def _settings(arguments: argparse.Namespace) -> EngineSettings:
    """Return the engines' settings from whatever names them. Raises SettingsError."""
    if arguments.config is not None:
        return load_engines(arguments.config)
    return ToldEngines(engines=json.loads(arguments.engines)).engines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parley.app.worker", description=__doc__)
    parser.add_argument(
        "--address", required=True, help="unix:PATH or HOST:PORT (loopback, unless the network is safe)"
    )
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--config", type=Path, help="a parley.toml whose tables [engines.*] count")
    told.add_argument("--engines", default="{}", help=argparse.SUPPRESS)  # as JSON, from the node that starts us
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--json-lines", action="store_true")
    parser.add_argument("--child", action="store_true", help="end when standard input does, not by signals")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
