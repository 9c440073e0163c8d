"""The control messages of Asterisk's WebSocket channel (chan_websocket, JSON form): text in, event out, and back.

Pure, no I/O. Audio travels beside them in binary messages. Asterisk ignores texts longer than 128 octets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from audio_fork.errors import BadPeer

SUBPROTOCOL = "media"
MAX_COMMAND_OCTETS = 128
MAX_EVENT_CHARACTERS = 16_384
"""The longest event of Asterisk's names all channel variables of the media leg, which are few."""

START_BUFFERING = '{"command":"START_MEDIA_BUFFERING"}'
FLUSH = '{"command":"FLUSH_MEDIA"}'
GET_STATUS = '{"command":"GET_STATUS"}'


@dataclass(frozen=True, slots=True)
class MediaStarted:
    """The first message of a connection."""

    codec: str
    frame_octets: int
    """Only whole frames of this size are taken outside of buffering."""


@dataclass(frozen=True, slots=True)
class MarkProcessed:
    """Everything sent before this mark has been handed out, or was flushed before the mark was set."""

    mark_id: str


@dataclass(frozen=True, slots=True)
class StatusReported:
    """The answer to GET_STATUS; sent at once, whatever is queued."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The queue is nearly full: send nothing more (MEDIA_XOFF)."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """There is room again (MEDIA_XON)."""


@dataclass(frozen=True, slots=True)
class KeyReported:
    """A key of the party's (DTMF_END)."""

    digit: str


@dataclass(frozen=True, slots=True)
class FaultReported:
    """Asterisk could not do what it was told."""

    text: str


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event that needs no reaction."""

    name: str


MediaEvent = MediaStarted | MarkProcessed | StatusReported | Paused | Resumed | KeyReported | FaultReported | OtherEvent


def mark_command(mark_id: str) -> str:
    """Return the command that sets a mark behind what was sent so far; the id comes back when it is reached."""
    return _command("MARK_MEDIA", mark_id)


def stop_buffering_command(mark_id: str) -> str:
    """Return the command that ends buffering; the id comes back as that of a mark does."""
    return _command("STOP_MEDIA_BUFFERING", mark_id)


def parse_event(text: str) -> MediaEvent:
    """Read one text message. Raises BadPeer for anything that is no event of Asterisk's JSON form."""
    if len(text) > MAX_EVENT_CHARACTERS:
        raise BadPeer(f"a media event of {len(text)} characters")
    try:
        event = json.loads(text)
        name = event["event"]
        reader = _READERS.get(name)
        return OtherEvent(str(name)[:40]) if reader is None else reader(event)
    except (ValueError, RecursionError, KeyError, TypeError) as err:
        raise BadPeer("a media event that cannot be read") from err


def _command(name: str, correlation_id: str) -> str:
    text = json.dumps({"command": name, "correlation_id": correlation_id}, separators=(",", ":"))
    if len(text) > MAX_COMMAND_OCTETS:
        raise ValueError(f"{name} with an id of {len(correlation_id)} characters would be ignored")
    return text


def _media_started(event: Mapping[str, Any]) -> MediaStarted:
    return MediaStarted(str(event["format"]), int(event["optimal_frame_size"]))


def _mark_processed(event: Mapping[str, Any]) -> MarkProcessed:
    return MarkProcessed(str(event["correlation_id"]))


_READERS: Mapping[object, Callable[[Mapping[str, Any]], MediaEvent]] = {
    "MEDIA_START": _media_started,
    "MEDIA_MARK_PROCESSED": _mark_processed,
    "MEDIA_BUFFERING_COMPLETED": _mark_processed,
    "STATUS": lambda event: StatusReported(),
    "MEDIA_XOFF": lambda event: Paused(),
    "MEDIA_XON": lambda event: Resumed(),
    "DTMF_END": lambda event: KeyReported(str(event["digit"])),
    "ERROR": lambda event: FaultReported(str(event["error_text"])[:200]),
}
