"""Events as Asterisk 22.10.1 sent them by ARI (tests/data/ari) and AMI (tests/data/ami), a file per happening.

AMI's files hold what remained behind the filter of asterisk_conf/manager.conf, with plain line ends. Files whose names
end in `_16` are from 16.28.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ari_app.ami.messages import AmiEvent, AmiReader, event_of
from ari_app.events import AriEvent, parse_event

FOLDER = Path(__file__).parent.parent / "data" / "ari"
AMI_FOLDER = FOLDER.parent / "ami"
REFUSALS_FOLDER = FOLDER.parent / "ami_refusals"


def captured_messages(name: str) -> list[dict[str, Any]]:
    """Return the messages of one file, in the order in which they came."""
    messages: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return messages


def captured_events(name: str) -> list[AriEvent]:
    """Return those of a file's messages that the adapter reads."""
    parsed = [parse_event(json.dumps(message)) for message in captured_messages(name)]
    return [event for event in parsed if event is not None]


def captured_ami_events(name: str) -> list[AmiEvent]:
    """Return the AMI events of one file, read as they are read from the network."""
    octets = (AMI_FOLDER / f"{name}.txt").read_text(encoding="utf-8").replace("\n", "\r\n").encode()
    return [event_of(message) for message in AmiReader().feed(b"Asterisk Call Manager/11.0.0\r\n" + octets)]


def captured_refusals(name: str) -> list[tuple[str, str]]:
    """Return the actions of one file, `ACTION: MESSAGE` a line, each with the message with which AMI refused it."""
    lines = (REFUSALS_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [(action, reason) for action, _, reason in (line.partition(": ") for line in lines if line[:1] != "#")]
