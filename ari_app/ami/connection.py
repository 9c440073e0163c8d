"""One AMI connection, from the greeting to its end, on panoramisk's Manager and AMIProtocol.

`client` makes one per attempt and makes another when it has ended: nothing of an old connection lives on in a new one.
What panoramisk does by itself and must not do here: log in before the greeting was read, ping without listening,
connect again, and send again what was not answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from ari_app.ami.actions import AmiAction, is_own_id
from ari_app.ami.messages import AmiEvent, AmiReader, NotAmi, event_of
from parley.call_control import PbxUnavailable

logger = logging.getLogger(__name__)


class AmiProtocol(AMIProtocol):
    """panoramisk's protocol with a reader of ours; what it cannot answer at its end has failed."""

    def __init__(self, manager: AmiConnection) -> None:
        self._manager = manager
        self._reader = AmiReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; called by the event loop."""
        super().connection_made(transport)
        self.factory = self._manager
        self._manager.protocol = self

    def data_received(self, data: bytes) -> None:
        """Take octets; called by the event loop."""
        try:
            messages = self._reader.feed(data)
        except NotAmi as err:
            self._manager.end(str(err), not_ami=True)
            return
        if self._reader.version and not self._manager.greeted.done():
            self._manager.greeted.set_result(self._reader.version)
        for message in messages:
            if self.closed:
                return
            self.handle_message(message)

    def connection_lost(self, exc: Exception | Message | None) -> None:
        """Note the end; called by the event loop, and with Asterisk's message that it shuts down."""
        if isinstance(exc, Message):
            self._manager.end("Asterisk shuts down")
        else:
            self._manager.end("Asterisk closed the connection" if exc is None else "the connection broke")

    def send(self, data: AmiAction, as_list: bool | None = None) -> asyncio.Future[Message | list[Message]]:
        """Send an action; the future brings its answer, or PbxUnavailable when the connection ends before."""
        if self.closed:
            raise PbxUnavailable("the AMI connection is over")
        self.responses[data.id] = data
        self.transport.write(str(data).encode())
        answer: asyncio.Future[Message | list[Message]] = data.future
        return answer

    def forget(self, action: AmiAction) -> None:
        """Await no answer to this action any more."""
        self.responses.pop(action.id, None)

    def close(self) -> None:
        """Close at once and fail every action without an answer. May be called twice."""
        self.closed = True
        self.transport.abort()
        waiting, self.responses = self.responses, {}
        for action in waiting.values():
            action.fail(PbxUnavailable("the AMI connection ended before Asterisk answered"))


class AmiConnection(Manager):
    """One connection. `connect()` it, await `greeted`, send actions; `ended` says why it is over."""

    def __init__(self, host: str, port: int) -> None:
        """Create inside the event loop; nothing is sent yet."""
        loop = asyncio.get_running_loop()
        super().__init__(host=host, port=port, loop=loop, protocol_factory=lambda: AmiProtocol(self), log=logger)
        # panoramisk's own: to send again, after a login, what an earlier connection has not answered.
        self.callbacks.clear()
        self.patterns.clear()
        self.greeted: asyncio.Future[str] = loop.create_future()
        """The protocol's version, once Asterisk has greeted us."""
        self.ended: asyncio.Future[str] = loop.create_future()
        """Why the connection is over."""
        self.is_ami = True
        """False once the other side has turned out not to speak AMI."""

    def forget(self, action: AmiAction) -> None:
        """Await no answer to this action any more."""
        if self.protocol is not None:
            self.protocol.forget(action)

    def listen(self, names: Iterable[str], callback: Callable[[AmiEvent], None]) -> None:
        """Hand the events of these names to `callback`, which must not wait."""
        for name in names:
            self.register_event(name, lambda _, message: callback(event_of(message)))

    def dispatch(self, event: Message) -> list[str]:
        """Hand on an event that nobody asked for; late parts of an answer that is no longer awaited are dropped."""
        if is_own_id(event.get("ActionID", "")):
            return []
        return list(super().dispatch(event))

    def connection_made(self, connecting: asyncio.Future[object]) -> None:
        """Do nothing: the protocol has reported itself, and whoever awaits `connect()` sees a failure."""

    def connection_lost(self, exc: object) -> None:
        """Connect no more: the client decides when."""

    def end(self, reason: str, *, not_ami: bool = False) -> None:
        """Close, and say why. Only the first reason counts."""
        if not self.ended.done():
            self.ended.set_result(reason)
            self.is_ami = not not_ami
        self.authenticated = False
        self.close()
