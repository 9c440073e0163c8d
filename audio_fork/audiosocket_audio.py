"""One call's audio over AudioSocket: the PBX connects to us by TCP and shows the id that we have issued.

`AudioSocketServer.expect()` makes it; it can be handed to a conversation before the PBX has connected. From then on the
media engine reads and writes the connection. Asterisk plays what it gets at once, so our clock paces. While it takes
nothing, what is played waits.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Protocol

from audio_fork.codecs import check_audiosocket_codec
from audio_fork.errors import NoPeer, NotConnectable
from audio_fork.media_engine import MediaEngine
from audio_fork.paced_audio import PacedAudio
from media_core.engine_events import EventKind, PeerEnd
from media_core.errors import EngineError
from media_core.events import DigitHeard

logger = logging.getLogger(__name__)

REASONS = {
    PeerEnd.CLOSED: "the PBX closed the connection",
    PeerEnd.HUNG_UP: "the PBX hung up",
    PeerEnd.FAILED: "the PBX reports an error",
    PeerEnd.LOST_ITS_PLACE: "the PBX sent what is no AudioSocket message",
}


class Link(Protocol):
    """The PBX's connection, once it has shown the id."""

    def close(self) -> None:
        """Wait for the PBX to close it: the engine has said that it is over. May be called twice."""
        ...


class AudioSocketAudio(PacedAudio):
    """A call's audio connection that begins when the PBX connects with `connection_id`."""

    def __init__(
        self,
        engine: MediaEngine,
        codec: str,
        connection_id: str,
        *,
        digits: bool = False,
        withdraw: Callable[[str], None],
    ) -> None:
        """Take a place on the engine and wait for the PBX; `AudioSocketServer.expect()` is the way to make one.

        digits: report keys that come in the media. withdraw: called with the id when nobody waits for it any more.
        Raises UnknownCodec, TooManyCalls.
        """
        check_audiosocket_codec(codec)
        super().__init__(engine, engine.admit_connection(codec))
        self.connection_id = connection_id
        self._digits = digits
        self._withdraw = withdraw
        self._link: Link | None = None
        self._decided = asyncio.Event()
        self._over = asyncio.Event()

    async def connected(self) -> None:
        """Wait until the PBX has connected.

        Raises NoPeer when it does not within the time given to `expect()`, or its connection could not be taken up.
        Cancelling: the id stays valid.
        """
        await self._decided.wait()
        if self._link is None:
            raise NoPeer(
                "Asterisk did not connect to the AudioSocket port in time, its connection could not be taken up, or "
                "the call was over before"
            )

    async def over(self) -> None:
        """Wait until the media have ended, by whomever."""
        await self._over.wait()

    async def aclose(self) -> None:
        """End the media and hang up; the id is void. May be called twice."""
        await super().aclose()
        self.close()

    def close(self) -> None:
        """End the media and hang up, at once; the id is void. May be called twice."""
        self._end()

    # --- what the server does -------------------------------------------------------------------------------

    def begin(self, link: Link, sock: socket.socket) -> None:
        """Start the media: the PBX has connected and shown the id.

        Raises NotConnectable when the system has no descriptor for it, or the engine does not take it.
        """
        try:
            self.session.link(sock, keys=self._digits)
        except (EngineError, OSError) as err:
            raise NotConnectable(f"the media engine cannot take the PBX's connection: {err}") from err
        self._link = link
        self._decided.set()

    def give_up(self) -> None:
        """The time to connect has passed."""
        self._end()

    # --- what the engine tells ------------------------------------------------------------------------------

    def take(self, kind: EventKind, position: int, value: int, code: int) -> None:
        """Take an event of the engine's (see `EngineCall`)."""
        match kind:
            case EventKind.PEER_GONE:
                self._lose_peer(REASONS[PeerEnd(code)])
            case EventKind.DIGIT_PRESSED:
                self._events.put(DigitHeard(chr(code), position))
            case _:
                super().take(kind, position, value, code)

    # --- inside ---------------------------------------------------------------------------------------------

    def _end(self) -> None:
        unsent = self.stats().unsent
        if self._final is None and unsent:
            logger.warning("the PBX did not take all of the audio in time", extra={"frames": unsent})
        super()._end()
        self._withdraw(self.connection_id)
        self._decided.set()
        self._over.set()
        if self._link is not None:
            self._link.close()
