"""The event WebSocket: connect, read, notice its end, connect again.

`call_control` owns one and gives it three callbacks; the messages themselves are read by `events`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

import aiohttp

from ari_app.asterisk_info import AsteriskInfo
from ari_app.backoff import Backoff
from ari_app.errors import AriLoginRefused, AriNotLoaded, AriRefused
from ari_app.event_queue import is_milestone
from ari_app.events import ApplicationReplaced, AriEvent, MalformedEvent, parse_event
from ari_app.rest import AriRest
from parley.call_control import CallControlError, PbxRefused

logger = logging.getLogger(__name__)

LASTING_S = 5.0
"""A connection that stood for so long counts as working: the waits begin again with the shortest."""
FIRST_RETAKE_S, LONGEST_RETAKE_S = 10.0, 300.0
"""How long we leave our application's name to another client before we take it back: doubling from one to the other.

Somebody's test client must not keep callers from us for long. But two nodes that each took the name back at once would
take every second call from each other, and each time all calls that go on.
"""
MOST_EVENTS_AT_ONCE = 50
"""Read before everybody else gets a turn, 1 to 2 ms worth: a burst must not make the calls' audio wait."""
LOGIN_CHECK_S = 5.0
"""Asterisk asks for our password with each request, but never again on an open event connection. After a reload with
another password callers would go on coming to us, and we could command none of them."""
LASTING_NAME_S = 600.0
"""A connection that stood for so long ends the doubling."""


class EventConnection:
    """The events of one application, for as long as `run` runs.

    `on_replaced` is called before `on_lost`; this one again when the reason becomes another while we reconnect.
    """

    def __init__(
        self,
        rest: AriRest,
        application: str,
        *,
        on_connected: Callable[[AsteriskInfo], Awaitable[None]],
        on_event: Callable[[AriEvent], None],
        on_replaced: Callable[[str], None],
        on_lost: Callable[[str], None],
        backoff: Backoff,
        retake: Backoff,
        login_check_s: float = LOGIN_CHECK_S,
    ) -> None:
        self._rest = rest
        self._application = application
        self._on_connected = on_connected
        self._on_event = on_event
        self._on_replaced = on_replaced
        self._on_lost = on_lost
        self._backoff = backoff
        self._retake = retake
        self._login_check_s = login_check_s
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._lost_for = ""
        """Why there is, or was last, no connection."""
        self._refusal = ""
        """Why Asterisk let us in no more, under the last connection; empty when it did to its end."""
        self.received = 0
        """Messages so far."""
        self.malformed = 0
        """Those that were no ARI events."""

    @property
    def is_open(self) -> bool:
        """Whether events come."""
        return self._socket is not None and not self._socket.closed

    async def open(self) -> None:
        """Log in and connect; raises PbxUnavailable (AriNotLoaded) or PbxRefused with what to fix."""
        try:
            info = await self._rest.asterisk_info()
            self._socket = await self._rest.connect_events(self._application)
            await self._on_connected(info)
        except AriRefused as err:
            if not err.not_found:
                raise
            # Asterisk loads ARI's resources one by one; until then ARI itself answers that there is no such thing.
            raise AriNotLoaded(
                f"ARI lacks a part: unless Asterisk is still starting, load all res_ari_*.so modules ({err})"
            ) from err
        logger.info("connected to Asterisk", extra={"version": info.version, "application": self._application})

    async def run(self) -> NoReturn:
        """Read events, and reconnect whenever the connection ends, until cancelled. `open` comes first."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            reason, wait_s = await self._read_while_let_in()
            if loop.time() - began >= LASTING_S:
                self._backoff.reset()
            if loop.time() - began >= LASTING_NAME_S:
                self._retake.reset()
            self._tell_lost("connection to Asterisk lost", reason, by_refusal=bool(self._refusal))
            await self._reconnect(wait_s)

    async def aclose(self) -> None:
        """Close the WebSocket; may be called twice."""
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def _read_while_let_in(self) -> tuple[str, float]:
        """Read until the connection ends, or until Asterisk refuses our login; return the same as `_read`."""
        self._refusal = ""
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch_login())
            reason, wait_s = await self._read()
            if not self._refusal:  # else it is closing the connection
                watching.cancel()
        return self._refusal or reason, wait_s

    async def _watch_login(self) -> None:
        """Close the connection once Asterisk refuses our login."""
        while not self._refusal:
            try:
                await self._rest.check_login(self._login_check_s)
            except AriLoginRefused as err:
                self._refusal = str(err)
                await self.aclose()
            except CallControlError as err:
                logger.debug("whether we are let in is not known", extra={"code": err.code})

    async def _read(self) -> tuple[str, float]:
        """Hand on events until the connection ends; return why, and how long to wait before the next attempt."""
        socket = self._socket
        if socket is None:
            return "not connected", self._backoff.next_wait_s()
        async for message in socket:
            self.received += 1
            if self.received % MOST_EVENTS_AT_ONCE == 0:
                # A message that is there already is handed out without a turn for others.
                await asyncio.sleep(0)
            event = self._parse(message)
            if isinstance(event, ApplicationReplaced):
                return await self._replaced()
            if event is not None:
                self._on_event(event)
        await self.aclose()
        return _reason_of(socket), self._backoff.next_wait_s()

    async def _replaced(self) -> tuple[str, float]:
        """Give way to the other client for a while."""
        reason, wait_s = "another client took over our application name", self._retake.next_wait_s()
        logger.error(
            "another client has connected with our application name and gets our calls; "
            "give each Parley node an application of its own (asterisk.application)",
            extra={"application": self._application, "retry_s": round(wait_s, 1)},
        )
        await self.aclose()
        self._on_replaced(reason)
        return reason, wait_s

    def _parse(self, message: aiohttp.WSMessage) -> AriEvent | None:
        if message.type is not aiohttp.WSMsgType.TEXT:
            return None
        try:
            return parse_event(message.data)
        except MalformedEvent as err:
            self.malformed += 1
            if is_milestone(self.malformed):
                logger.warning("unreadable ARI event skipped", extra={"reason": str(err), "skipped": self.malformed})
            return None

    async def _reconnect(self, wait_s: float) -> None:
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self.open()
            except CallControlError as err:
                await self.aclose()
                wait_s = self._backoff.next_wait_s()
                if str(err) != self._lost_for:
                    self._tell_lost("Asterisk is not reachable", str(err), by_refusal=isinstance(err, PbxRefused))
            else:
                return

    def _tell_lost(self, what: str, reason: str, *, by_refusal: bool) -> None:
        """Tell that there is no connection, and why. by_refusal: somebody must change something before there is."""
        self._lost_for = reason
        self._on_lost(reason)
        logger.log(logging.ERROR if by_refusal else logging.WARNING, what, extra={"reason": reason})


def _reason_of(socket: aiohttp.ClientWebSocketResponse) -> str:
    failure = socket.exception()
    if failure is not None:
        return f"the connection broke ({type(failure).__name__})"
    return f"Asterisk closed the connection (code {socket.close_code})"
