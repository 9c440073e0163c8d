"""How the packages of the optional engines are installed, in the same words wherever one is missing."""

from __future__ import annotations

import sys


def how_to_install(extra: str) -> str:
    """Return the command that brings an extra of Parley's into the environment that runs it."""
    return f"{sys.executable} -m pip install 'parley[{extra}]'"
