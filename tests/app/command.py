"""What a command of `parley` leaves behind; the fixture `parley` runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shown:
    """What a command has left behind."""

    returncode: object
    stdout: str
    stderr: str


Command = Callable[..., Shown]
