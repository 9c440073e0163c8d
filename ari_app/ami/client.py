"""The AMI of one Asterisk: stay connected, tell events, carry out actions.

The wiring makes one, runs it, and gives it to those who need it. Calls do not: while AMI is away, they go on without
what AMI would tell.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from panoramisk.message import Message

from ari_app.ami.actions import AmiAction
from ari_app.ami.connection import AmiConnection
from ari_app.ami.errors import connection_error, ended_early, login_refused, refusal
from ari_app.ami.messages import AmiEvent
from ari_app.backoff import Backoff
from parley.call_control import CallControlError, InvalidRequest, PbxRefused, PbxUnavailable

logger = logging.getLogger(__name__)

DEADLINE_S = 5.0
"""For one action. Asterisk answers within milliseconds; a wrong password it answers after a second."""
PING_S = 2.0
"""Between two looks whether the other side is still there."""
PONG_WITHIN_S = 3.0
"""After a ping; a connection that does not answer is given up, and there is time to make another before the timers of
legs in AudioSocket() end."""
LASTING_S = 5.0
"""A connection that stood for so long counts as working: the waits begin again with the shortest."""
LONGEST_WAIT_S = 2.0
"""Between two attempts to connect: legs in AudioSocket() run into their dead-man timers without AMI."""
REFUSED_WAIT_S = 60.0
"""After a refused login: Asterisk's log, and whoever watches it for intruders, counts each attempt."""

Listener = tuple[tuple[str, ...], Callable[[AmiEvent], None]]


class AmiClient:
    """One Asterisk's AMI. Run it with `run()`, end it with `aclose()`; all else works while it is connected.

    Every action has a deadline, and is sent at most once: one whose answer is lost may have been carried out.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        password: str,
        *,
        deadline_s: float = DEADLINE_S,
        ping_s: float = PING_S,
        refused_wait_s: float = REFUSED_WAIT_S,
        backoff: Backoff | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._username = username
        self._password = password
        self._deadline_s = deadline_s
        self._ping_s = ping_s
        self._refused_wait_s = refused_wait_s
        self._backoff = backoff or Backoff(cap_s=LONGEST_WAIT_S)
        self._listeners: list[Listener] = []
        self._watchers: list[Callable[[bool], None]] = []
        self._connection: AmiConnection | None = None
        self._closing = asyncio.Event()
        self._begun = False
        self._told = ""
        """Code of the trouble that the log has already: it is told once, not at every attempt."""

    def __repr__(self) -> str:
        return f"AmiClient({self._host!r}, {self._port}, {self._username!r})"

    @property
    def connected(self) -> bool:
        """Whether we are logged in now."""
        return self._connection is not None and bool(self._connection.authenticated)

    def listen(self, names: Iterable[str], callback: Callable[[AmiEvent], None]) -> None:
        """Hand events of these names to `callback`, which must not wait.

        Raises InvalidRequest once a connection has been begun: that one would not tell them.
        """
        if self._begun:
            raise InvalidRequest("AMI events are to be asked for before the client connects")
        self._listeners.append((tuple(names), callback))

    def watch(self, callback: Callable[[bool], None]) -> None:
        """Tell `callback` whenever we are logged in (True) and whenever that is over (False)."""
        self._watchers.append(callback)

    async def run(self) -> None:
        """Connect, and connect again whenever that is needed, until closed. Raises nothing but cancellation."""
        loop = asyncio.get_running_loop()
        try:
            while not self._closing.is_set():
                try:
                    await self.connect()
                except CallControlError as err:
                    refused = isinstance(err, PbxRefused)
                    self._tell_trouble(err.code, str(err))
                    await self._pause(self._refused_wait_s if refused else self._backoff.next_wait_s())
                    continue
                began = loop.time()
                reason = await self._until_ended()
                if loop.time() - began >= LASTING_S:
                    self._backoff.reset()
                if not self._closing.is_set():
                    self._tell_trouble(PbxUnavailable.code, reason)
                    await self._pause(self._backoff.next_wait_s())
        finally:
            await self.aclose()

    async def connect(self) -> None:
        """Connect and log in, once.

        Raises PbxUnavailable when there is no AMI or no answer in time, PbxRefused when Asterisk does not let us in;
        the message says what to fix.
        """
        if self._closing.is_set():
            raise PbxUnavailable("the AMI client is closed")
        self._begun = True
        connection = AmiConnection(self._host, self._port)
        for names, callback in self._listeners:
            connection.listen(names, callback)
        try:
            await self._open(connection)
            if self._closing.is_set():
                raise PbxUnavailable("the AMI client was closed while it connected")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._told = ""
        logger.info("connected to AMI", extra={"version": connection.greeted.result()})
        self._tell_watchers(True)

    async def request(
        self, action: str, fields: Mapping[str, str] | None = None, *, deadline_s: float | None = None
    ) -> list[Mapping[str, str]]:
        """Do one action and return the messages of its answer: the response, then what belongs to it.

        Raises AmiRefused with Asterisk's own words, PbxUnavailable when we are not connected, when no answer comes
        in time, or when the connection ends first (it may have been carried out then), and InvalidRequest.
        """
        if not self.connected or self._connection is None:
            raise PbxUnavailable("AMI is not connected")
        answer = await self._ask(self._connection, AmiAction(action, fields), deadline_s or self._deadline_s)
        if not answer[0].success:
            raise refusal(action, answer[0].message, self._username)
        return [{str(name): str(value) for name, value in message.items()} for message in answer]

    async def aclose(self) -> None:
        """Close for good, also while `run` waits for its next attempt; may be called twice.

        Actions without an answer raise PbxUnavailable.
        """
        self._closing.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.end("closed by us")
            self._tell_watchers(False)

    async def _open(self, connection: AmiConnection) -> None:
        """Connect to the port, wait for Asterisk's greeting (the password goes to nobody else), log in."""
        place = f"{self._host}:{self._port}"
        try:
            async with asyncio.timeout(self._deadline_s):
                await connection.connect()
                await asyncio.wait({connection.greeted, connection.ended}, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, TimeoutError) as err:
            raise connection_error(err, place, self._deadline_s) from err
        if connection.ended.done():
            raise ended_early(connection.ended.result(), place, connection.is_ami)
        login = AmiAction("Login", {"Username": self._username, "Secret": self._password, "Events": "on"})
        answer = await self._ask(connection, login, self._deadline_s)
        if not answer[0].success:
            raise login_refused(self._username)
        connection.authenticated = True

    async def _ask(self, connection: AmiConnection, action: AmiAction, deadline_s: float) -> list[Message]:
        try:
            async with asyncio.timeout(deadline_s):
                answer = await connection.send_action(action)
        except TimeoutError as err:
            raise PbxUnavailable(f"Asterisk did not answer the AMI action {action.name} in {deadline_s:g} s") from err
        finally:
            connection.forget(action)
        return answer if isinstance(answer, list) else [answer]

    async def _until_ended(self) -> str:
        """Ping until the connection is over, or until no pong comes; return why."""
        connection = self._connection
        if connection is None:
            return "closed by us"
        while not connection.ended.done():
            await asyncio.wait({connection.ended}, timeout=self._ping_s)
            if connection.ended.done():
                break
            try:
                await self.request("Ping", deadline_s=min(PONG_WITHIN_S, self._deadline_s))
            except CallControlError as err:
                connection.end(f"no answer to a ping ({err.code})")
        if self._connection is connection:
            self._connection = None
            self._tell_watchers(False)
        return connection.ended.result()

    async def _pause(self, wait_s: float) -> None:
        """Wait before the next attempt; `aclose` ends it."""
        try:
            async with asyncio.timeout(wait_s):
                await self._closing.wait()
        except TimeoutError:
            return

    def _tell_trouble(self, code: str, problem: str) -> None:
        if code != self._told:
            self._told = code
            logger.warning("no AMI; calls go on without it", extra={"problem": problem})

    def _tell_watchers(self, connected: bool) -> None:
        for watcher in self._watchers:
            watcher(connected)
