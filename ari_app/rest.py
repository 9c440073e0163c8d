"""Asterisk's REST interface: one typed method per request that Parley makes.

`call_control`, `media_legs` and `bridges` command calls with it; the doctor asks it what Asterisk has and tries audio
between two media legs. All methods raise as `AriHttp.request` says.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from ari_app.asterisk_info import AsteriskInfo
from ari_app.errors import AriRefused
from ari_app.events import Channel, parse_channel
from ari_app.http_client import AriHttp
from parley.call_control import HangupCause, PbxRefused

DEADLINE_S = 5.0
"""For one request, connecting included. Asterisk answers within milliseconds or is in trouble."""

_REASONS = {
    HangupCause.USER_BUSY: "busy",
    HangupCause.NO_ANSWER: "no_answer",
    HangupCause.SWITCH_CONGESTION: "congestion",
    HangupCause.NO_CIRCUIT_AVAILABLE: "congestion",
}
"""What Asterisk before 18 has words for; every other cause is `normal` there."""


@dataclass(frozen=True, slots=True)
class Module:
    """A loaded module of Asterisk."""

    name: str
    status: str
    """`Running` when it works."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge as ARI describes it."""

    id: str
    name: str
    channel_ids: tuple[str, ...]


class AriRest:
    """Requests to one Asterisk. Use within one event loop; close with `aclose()`."""

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        deadline_s: float = DEADLINE_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """tls: how to check the certificate of an `https` address; None for the system's way."""
        self._http = AriHttp(url, username, password, deadline_s, tls)

    def __repr__(self) -> str:
        return f"AriRest({self._http!r})"

    async def connect_events(self, application: str) -> aiohttp.ClientWebSocketResponse:
        """Open the event WebSocket; from now on `Stasis(application)` hands its channels to us."""
        return await self._http.connect_events(application)

    async def check_login(self, within_s: float) -> None:
        """Ask whether we are let in: after so many seconds, or as soon as another request was not. Raises as all do."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._http.login_refused.wait()
        self._http.login_refused.clear()
        await self.asterisk_info()

    async def aclose(self) -> None:
        """Close all connections; may be called twice."""
        await self._http.aclose()

    def media_url(self, connection_id: str) -> str:
        """Return where Asterisk's web server waits for the WebSocket of a media leg."""
        return self._http.media_url(connection_id)

    # What Asterisk is and has

    async def asterisk_info(self) -> AsteriskInfo:
        """Return Asterisk's version; the cheapest way to see whether address and password are right."""
        return await self._http.request("GET", ["asterisk", "info"], _read_info)

    async def modules(self) -> list[Module]:
        """Return the loaded modules."""
        return await self._http.request("GET", ["asterisk", "modules"], lambda answer: [*map(_read_module, answer)])

    async def get_module(self, name: str) -> Module | None:
        """Return one module (`chan_rtp.so`), or None when it is not loaded."""
        try:
            return await self._http.request("GET", ["asterisk", "modules", name], _read_module)
        except AriRefused as err:
            if err.not_found:
                return None
            raise

    async def application_channels(self, application: str) -> set[str]:
        """Return the ids of all channels that the application is told about."""
        return await self._http.request(
            "GET", ["applications", application], lambda answer: set(map(str, answer["channel_ids"]))
        )

    # Channels

    async def channels(self) -> list[Channel]:
        """Return all channels of Asterisk."""
        return await self._http.request("GET", ["channels"], lambda answer: [*map(parse_channel, answer)])

    async def originate(self, channel_id: str, application: str, endpoint: str, **options: Any) -> Channel:
        """Call an endpoint; it enters the application when it answers.

        options: appArgs (str), callerId (str), timeout (int, seconds), variables (mapping), as in ARI's description.
        """
        body = {"app": application, "endpoint": endpoint, **options}
        return await self._http.request("POST", ["channels", channel_id], parse_channel, body=body)

    async def create_channel(self, channel_id: str, application: str, endpoint: str) -> Channel:
        """Make a channel that calls nobody."""
        body = {"channelId": channel_id, "app": application, "endpoint": endpoint}
        return await self._http.request("POST", ["channels", "create"], parse_channel, body=body)

    async def call_dialplan(
        self, channel_id: str, context: str, extension: str, originator: str, variables: Mapping[str, str]
    ) -> None:
        """Let a Local channel run a place in the dialplan, as part of the call of the channel `originator`."""
        body = {
            "endpoint": f"Local/{extension}@{context}/n",
            "context": context,
            "extension": extension,
            "priority": 1,
            "originator": originator,
            "variables": dict(variables),
        }
        await self._http.request("POST", ["channels", channel_id], _ignore, body=body)

    async def create_external_media(
        self, channel_id: str, application: str, codec: str, variables: Mapping[str, str], **connection: str
    ) -> Channel:
        """Create a media leg. It cannot be bridged before its own StasisStart has come (422).

        connection: `external_host` (`host:port` for RTP) and what else ARI's description has for other transports;
        `ari_app.external_media` knows the sets that work. The answer's variables name Asterisk's end.
        """
        body = {
            "channelId": channel_id,
            "app": application,
            "format": codec,
            "variables": dict(variables),
            **connection,
        }
        return await self._http.request("POST", ["channels", "externalMedia"], parse_channel, body=body)

    async def ring(self, channel_id: str) -> None:
        """Send ringing to a channel that calls us."""
        await self._post(["channels", channel_id, "ring"])

    async def answer(self, channel_id: str) -> None:
        """Answer a channel that calls us."""
        await self._post(["channels", channel_id, "answer"])

    async def hangup(self, channel_id: str, cause: HangupCause | None = None, cause_as_number: bool = True) -> None:
        """End a channel; without a cause (or with UNKNOWN), as a normal clearing.

        cause_as_number: Asterisk 18 and later take any cause; before, a few words stand for the commonest.
        """
        query: dict[str, str] = {}
        if cause:
            query = {"reason_code": str(int(cause))} if cause_as_number else {"reason": _REASONS.get(cause, "normal")}
        await self._http.request("DELETE", ["channels", channel_id], _ignore, query=query)

    async def get_variable(self, channel_id: str, name: str) -> str:
        """Return the value of a channel variable."""
        return await self._http.request(
            "GET", ["channels", channel_id, "variable"], lambda answer: str(answer["value"]), query={"variable": name}
        )

    async def set_variable(self, channel_id: str, name: str, value: str) -> None:
        """Set a channel variable, or write a dialplan function: the caller vouches for `name`."""
        await self._post(["channels", channel_id, "variable"], variable=name, value=value)

    async def set_variables(self, channel_id: str, variables: Mapping[str, str]) -> None:
        """Set several in one request; see `AsteriskInfo.sets_variables_together`."""
        body = {"variables": dict(variables)}
        await self._http.request("POST", ["channels", channel_id, "variables"], _ignore, body=body)

    async def rtp_packets_sent(self, channel_id: str) -> int | None:
        """Return how many RTP packets Asterisk has sent to the channel's party; None for a channel without RTP."""
        try:
            return await self._http.request(
                "GET", ["channels", channel_id, "rtp_statistics"], lambda answer: int(answer["txcount"])
            )
        except PbxRefused:  # 404 while the media are set up; 403 for a channel of a kind without RTP
            return None

    async def continue_in_dialplan(self, channel_id: str, **place: str | int) -> None:
        """Let the dialplan go on where it was, or at `context`, `extension` and `priority`."""
        await self._post(["channels", channel_id, "continue"], **place)

    async def redirect(self, channel_id: str, endpoint: str) -> None:
        """Ask the party's phone to call somebody else: 302 before the answer, REFER after it."""
        await self._post(["channels", channel_id, "redirect"], endpoint=endpoint)

    async def tell_transfer_progress(self, channel_id: str, state: str) -> None:
        """Tell the party's phone how the transfer that it asked for goes (Asterisk 20.13, 22.3 and later)."""
        path = ["channels", channel_id, "transfer_progress"]
        await self._http.request("POST", path, _ignore, query={"states": state})

    async def send_dtmf(self, channel_id: str, digits: str) -> None:
        """Send keys to the party."""
        await self._post(["channels", channel_id, "dtmf"], dtmf=digits)

    async def start_music(self, channel_id: str) -> None:
        """Play music on hold to the channel."""
        await self._post(["channels", channel_id, "moh"])

    async def stop_music(self, channel_id: str) -> None:
        """Stop music on hold."""
        await self._http.request("DELETE", ["channels", channel_id, "moh"], _ignore)

    # Bridges

    async def bridges(self) -> list[Bridge]:
        """Return all bridges of Asterisk."""
        return await self._http.request("GET", ["bridges"], lambda answer: [*map(_read_bridge, answer)])

    async def create_bridge(self, bridge_id: str, name: str) -> None:
        """Create a mixing bridge."""
        await self._post(["bridges", bridge_id], type="mixing", name=name)

    async def delete_bridge(self, bridge_id: str) -> None:
        """Destroy a bridge; its channels stay."""
        await self._http.request("DELETE", ["bridges", bridge_id], _ignore)

    async def add_channel(self, bridge_id: str, channel_id: str) -> None:
        """Put a channel into a bridge, out of any other bridge of ours. It must be in Stasis (422 otherwise)."""
        await self._post(["bridges", bridge_id, "addChannel"], channel=channel_id)

    async def remove_channel(self, bridge_id: str, channel_id: str) -> None:
        """Take a channel out of a bridge."""
        await self._post(["bridges", bridge_id, "removeChannel"], channel=channel_id)

    async def _post(self, path: list[str], **body: str | int) -> None:
        await self._http.request("POST", path, _ignore, body=body or None)


def _read_info(answer: Any) -> AsteriskInfo:
    return AsteriskInfo(str(answer["system"]["version"]))


def _read_module(answer: Any) -> Module:
    return Module(str(answer["name"]), str(answer["status"]))


def _read_bridge(answer: Any) -> Bridge:
    return Bridge(str(answer["id"]), str(answer.get("name", "")), tuple(map(str, answer["channels"])))


def _ignore(answer: Any) -> None:
    """Take any answer: success is all that matters."""
