"""HTTP and WebSocket to Asterisk's web server: login, deadlines, encoding, errors. Knows no resource of ARI.

`rest` and `connection` build on it. The password is in one request header and nowhere else: no URL, no log line, no
exception text.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from ari_app.events import MalformedEvent
from ari_app.http_errors import connection_error, status_error, unexpected_answer
from parley.call_control import InvalidRequest, PbxUnavailable

_KEEP_ALIVE_S = 5.0
"""Shorter than Asterisk's own 15 s: a POST must not meet a connection that the other side is closing."""
_CONNECTIONS = 32
"""At the same time: commands, and up to 16 renewals. Asterisk's http.conf allows 100 for everybody (`sessionlimit`)."""
_HEARTBEAT_S = 10.0

T = TypeVar("T")


class AriHttp:
    """One Asterisk's web server. Use within one event loop; close with `aclose()`."""

    def __init__(
        self, url: str, username: str, password: str, deadline_s: float, tls: ssl.SSLContext | None = None
    ) -> None:
        """tls: how to check the certificate of an `https` address; None for the system's way."""
        self._base = _checked_url(url)
        self._tls = tls
        self._username = username
        self._deadline_s = deadline_s
        credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}"}
        self._open_session: aiohttp.ClientSession | None = None
        self._closed = False
        self.login_refused = asyncio.Event()
        """Set by every answer that refuses our login; whoever waits for it clears it."""

    def __repr__(self) -> str:
        return f"AriHttp({str(self._base)!r}, {self._username!r})"

    async def request(
        self,
        method: str,
        path: Sequence[str],
        read: Callable[[Any], T],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> T:
        """Do one request and return what `read` makes of the decoded answer (None when there is no body).

        Raises AriRefused for a refusal, PbxRefused when the other side is no usable ARI (wrong password, an answer
        that `read` cannot read), AriNotLoaded when it has no ARI, PbxUnavailable when nobody answers in time.
        """
        what = f"{method} /{'/'.join(path)}"
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._session.request(
                    method, self._url(path, query), headers=self._headers, json=body, allow_redirects=False
                ) as response,
            ):
                status, text = response.status, await response.text(errors="replace")
        except (TimeoutError, aiohttp.ClientError, OSError) as err:
            raise connection_error(err, self._base, self._deadline_s) from err
        answer = _decode(text)
        if status == HTTPStatus.UNAUTHORIZED:
            self.login_refused.set()
        if status not in {200, 204} or (status == 200 and answer is None):
            raise status_error(status, answer, what, self._base, self._username)
        try:
            return read(answer)
        except (KeyError, TypeError, ValueError, MalformedEvent) as err:
            raise unexpected_answer(what, self._base) from err

    async def connect_events(self, application: str) -> aiohttp.ClientWebSocketResponse:
        """Open the event WebSocket of an application. It pings, and ends when no pong comes. Raises as `request`."""
        url = self._url(["events"], {"app": application})
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._session.ws_connect(url, headers=self._headers, heartbeat=_HEARTBEAT_S)
        except aiohttp.WSServerHandshakeError as err:
            # Not chained: the exception carries our request with its Authorization header.
            raise status_error(err.status, None, "the event WebSocket", self._base, self._username) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as err:
            raise connection_error(err, self._base, self._deadline_s) from err

    def media_url(self, connection_id: str) -> str:
        """Return the WebSocket address of a media leg: `media/` beside ARI's own path, on the same web server."""
        scheme = "wss" if self._base.scheme == "https" else "ws"
        return str(self._base.with_scheme(scheme).parent / "media" / connection_id)

    async def aclose(self) -> None:
        """Close all connections for good; may be called twice."""
        self._closed = True
        session, self._open_session = self._open_session, None
        if session is not None:
            await session.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise PbxUnavailable("the ARI client is closed")
        if self._open_session is None:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S, ssl=self._tls or True)
            self._open_session = aiohttp.ClientSession(connector=connector)
        return self._open_session

    def _url(self, path: Sequence[str], query: Mapping[str, str] | None = None) -> URL:
        """Build an address with every part percent-encoded, so that none can end a segment or a parameter."""
        text = "/".join([str(self._base), *(quote(segment, safe="") for segment in path)])
        if query:
            text += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return URL(text, encoded=True)


def _decode(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _checked_url(url: str) -> URL:
    """Return the base address of ARI, without a trailing slash."""
    try:
        base = URL(url.rstrip("/"))
    except ValueError as err:
        raise InvalidRequest("the ARI address is not a URL; write http://127.0.0.1:8088/ari") from err
    if base.scheme not in {"http", "https"} or not base.host or base.query or base.fragment:
        raise InvalidRequest("the ARI address must read http://host:port/ari or https://host:port/ari")
    if base.user or base.password:
        raise InvalidRequest("the ARI address must not hold a user name or password: they have settings of their own")
    return base
