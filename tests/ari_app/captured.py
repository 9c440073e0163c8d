"""ARI events as Asterisk 22.10.1 sent them (tests/data/ari), one file per thing that happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ari_app.events import AriEvent, parse_event

FOLDER = Path(__file__).parent.parent / "data" / "ari"


def captured_messages(name: str) -> list[dict[str, Any]]:
    """Return the messages of one file, in the order in which they came."""
    messages: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return messages


def captured_events(name: str) -> list[AriEvent]:
    """Return those of a file's messages that the adapter reads."""
    parsed = [parse_event(json.dumps(message)) for message in captured_messages(name)]
    return [event for event in parsed if event is not None]
