"""ARI's JSON events as typed values: text in, event out, no I/O.

`connection` feeds it with WebSocket messages, `rest` reads channels and bridges with it. Field names follow Asterisk's
own API description (rest-api/api-docs/events.json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_BEGINNING = re.compile(r'\s*\{\s*"type":\s*"(\w+)"')
"""Asterisk writes the kind first: what nobody needs is recognised by it without being decoded, at any length."""


class MalformedEvent(Exception):
    """The text is not an ARI object: not JSON, or a field that must be there is missing."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as ARI describes it."""

    id: str
    name: str = ""
    state: str = ""
    """`Down`, `Ring` (it calls us), `Ringing` (we call it), `Up` and a few more."""
    caller_name: str = ""
    caller_number: str = ""
    context: str = ""
    extension: str = ""
    """Where the channel is in the dialplan; `s` inside a subroutine."""
    priority: int = 0
    app_name: str = ""
    app_data: str = ""
    """Arguments of the dialplan application that runs: `parley,agent=reception` for Stasis."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Those named by `channelvars` in ari.conf, and those that came with the request that made the channel."""

    def is_held_by(self, application: str) -> bool:
        """Tell whether the channel is in the Stasis application now."""
        return self.app_name == "Stasis" and self.app_data.split(",")[0] == application


@dataclass(frozen=True, slots=True)
class StasisStart:
    """The channel is now controlled by our application."""

    channel: Channel
    arguments: tuple[str, ...]
    replaces: str = ""
    """Id of the channel whose place it takes, after a transfer; empty for all others."""


@dataclass(frozen=True, slots=True)
class StasisEnd:
    """The channel is no longer controlled by us: it goes on in the dialplan, or it was hung up."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ChannelStateChange:
    """The channel rings, is up, …"""

    channel: Channel


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest:
    """Somebody wants the channel to end."""

    channel_id: str
    cause: int | None
    """Q.850 cause. None when nobody gave one, and always when `soft`: there the field holds an internal flag."""
    soft: bool
    """The request came from inside Asterisk (ARI, CLI, the dialplan), not from the party."""
    tech_cause: int | None
    """SIP status, Asterisk 21 and later."""


@dataclass(frozen=True, slots=True)
class ChannelDestroyed:
    """The channel is gone. Sent for channels that we created; not for those that have left Stasis before."""

    channel_id: str
    cause: int
    tech_cause: int | None


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived:
    """The party released a key, or Asterisk says so once more: see `repeated_keys`."""

    channel_id: str
    digit: str
    duration_ms: int
    at_ms: int | None = None
    """Asterisk's time of the event, ms since the epoch; None where it tells none."""


@dataclass(frozen=True, slots=True)
class ChannelHold:
    """The party has put us on hold (SIP: a re-INVITE with `sendonly` or `inactive`)."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ChannelUnhold:
    """The party is back, or Asterisk takes the hold for ended (before a transfer, even without a hold)."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ChannelTransfer:
    """The party asks to be taken out and us to be connected elsewhere (SIP REFER, of a channel set to `ari-only`).

    Also sent for every answer that we give to it; then `state` is set.
    """

    channel_id: str
    extension: str
    """User part of Refer-To."""
    attended: bool
    """The request names another call (Replaces)."""
    peer: Channel | None
    """The far end of that call, where Asterisk has it and it is connected."""
    state: str


@dataclass(frozen=True, slots=True)
class ApplicationReplaced:
    """Another client has connected with our application's name; we get no further events."""

    application: str


AriEvent = (
    StasisStart
    | StasisEnd
    | ChannelStateChange
    | ChannelHangupRequest
    | ChannelDestroyed
    | ChannelDtmfReceived
    | ChannelHold
    | ChannelUnhold
    | ChannelTransfer
    | ApplicationReplaced
)


def parse_event(text: str) -> AriEvent | None:
    """Read one WebSocket message; None for the many kinds that nobody here needs. Raises MalformedEvent."""
    named = _BEGINNING.match(text)
    if named is not None and named[1] not in _READERS:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise MalformedEvent("not JSON") from err
    try:
        kind = message["type"]
        reader = _READERS.get(kind)
        return None if reader is None else reader(message)
    except (KeyError, TypeError, AttributeError, ValueError) as err:
        raise MalformedEvent(f"an event without a field that it must have: {type(err).__name__}") from err


def parse_channel(description: Mapping[str, Any]) -> Channel:
    """Read a channel object. Raises MalformedEvent."""
    try:
        return _channel(description)
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise MalformedEvent(f"a channel without a field that it must have: {type(err).__name__}") from err


def _channel(description: Mapping[str, Any]) -> Channel:
    caller = description.get("caller") or {}
    place = description.get("dialplan") or {}
    return Channel(
        id=str(description["id"]),
        name=str(description.get("name", "")),
        state=str(description.get("state", "")),
        caller_name=str(caller.get("name", "")),
        caller_number=str(caller.get("number", "")),
        context=str(place.get("context", "")),
        extension=str(place.get("exten", "")),
        priority=int(place.get("priority") or 0),
        app_name=str(place.get("app_name", "")),
        app_data=str(place.get("app_data", "")),
        variables={str(name): str(value) for name, value in (description.get("channelvars") or {}).items()},
    )


def _stasis_start(message: Mapping[str, Any]) -> StasisStart:
    arguments = tuple(str(argument) for argument in message["args"])
    replaced = message.get("replace_channel")
    return StasisStart(_channel(message["channel"]), arguments, str(replaced["id"]) if replaced else "")


def _stasis_end(message: Mapping[str, Any]) -> StasisEnd:
    return StasisEnd(str(message["channel"]["id"]))


def _state_change(message: Mapping[str, Any]) -> ChannelStateChange:
    return ChannelStateChange(_channel(message["channel"]))


def _hangup_request(message: Mapping[str, Any]) -> ChannelHangupRequest:
    soft = bool(message.get("soft", False))
    return ChannelHangupRequest(
        channel_id=str(message["channel"]["id"]),
        cause=None if soft else _optional_int(message.get("cause")),
        soft=soft,
        tech_cause=_optional_int(message.get("tech_cause")),
    )


def _destroyed(message: Mapping[str, Any]) -> ChannelDestroyed:
    return ChannelDestroyed(
        channel_id=str(message["channel"]["id"]),
        cause=int(message["cause"]),
        tech_cause=_optional_int(message.get("tech_cause")),
    )


def _dtmf(message: Mapping[str, Any]) -> ChannelDtmfReceived:
    return ChannelDtmfReceived(
        channel_id=str(message["channel"]["id"]),
        digit=str(message["digit"]),
        duration_ms=int(message["duration_ms"]),
        at_ms=_time_ms(message.get("timestamp")),
    )


def _time_ms(text: object) -> int | None:
    """Return the time of an event; None where it is missing or is no time."""
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return None


def _hold(message: Mapping[str, Any]) -> ChannelHold:
    return ChannelHold(str(message["channel"]["id"]))


def _unhold(message: Mapping[str, Any]) -> ChannelUnhold:
    return ChannelUnhold(str(message["channel"]["id"]))


def _transfer(message: Mapping[str, Any]) -> ChannelTransfer:
    refer_to = message["refer_to"]
    wanted = refer_to["requested_destination"]
    peer = refer_to.get("connected_channel")
    return ChannelTransfer(
        channel_id=str(message["referred_by"]["source_channel"]["id"]),
        extension=str(wanted.get("destination", "")),
        attended="protocol_id" in wanted,
        peer=_channel(peer) if peer else None,
        state=str(message.get("state", "")),
    )


def _replaced(message: Mapping[str, Any]) -> ApplicationReplaced:
    return ApplicationReplaced(str(message.get("application", "")))


def _optional_int(value: object) -> int | None:
    return value if isinstance(value, int) else None


_READERS: Mapping[str, Callable[[Mapping[str, Any]], AriEvent]] = {
    "StasisStart": _stasis_start,
    "StasisEnd": _stasis_end,
    "ChannelStateChange": _state_change,
    "ChannelHangupRequest": _hangup_request,
    "ChannelDestroyed": _destroyed,
    "ChannelDtmfReceived": _dtmf,
    "ChannelHold": _hold,
    "ChannelUnhold": _unhold,
    "ChannelTransfer": _transfer,
    "ApplicationReplaced": _replaced,
}
