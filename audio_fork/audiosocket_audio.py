"""One call's audio over AudioSocket: the PBX connects to us by TCP and shows the id that we have issued.

`AudioSocketServer.expect()` makes it; it can be handed to a conversation before the PBX has connected. Asterisk plays
what it gets at once, so our clock paces, one frame every 20 ms.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from audio_fork.audiosocket_protocol import AUDIO_KIND, AUDIO_KINDS, Kind, Message, encode
from audio_fork.call_audio import CallAudioBase
from audio_fork.caller_stream import FrameReceiver
from audio_fork.clock import PlayoutClock
from audio_fork.codecs import Codec
from audio_fork.errors import NoPeer
from media_core.events import DigitHeard

logger = logging.getLogger(__name__)

MAX_UNSENT_FRAMES = 20
"""400 ms on their way to a PBX that does not acknowledge them. Asterisk plays at once whatever comes: more would be
heard in one burst when the network is back."""
DIGITS = frozenset(b"0123456789*#ABCD")


class Link(Protocol):
    """The PBX's connection, once it has shown the id."""

    @property
    def unsent_octets(self) -> int:
        """What has not reached the PBX yet."""
        ...

    def send(self, octets: bytes) -> None:
        """Send, never waiting."""
        ...

    def close(self) -> None:
        """Hang up. May be called twice."""
        ...


class AudioSocketAudio(CallAudioBase):
    """A call's audio connection that begins when the PBX connects with `connection_id`."""

    def __init__(
        self,
        codec: Codec,
        clock: PlayoutClock,
        connection_id: str,
        *,
        digits: bool = False,
        withdraw: Callable[[str], None],
    ) -> None:
        """Wait for the PBX's connection; `AudioSocketServer.expect()` is the way to make one.

        digits: report keys that come in the media. withdraw: called with the id when nobody waits for it any more.
        """
        self._receiver = FrameReceiver(codec)
        super().__init__(codec, self._receiver, clock)
        self.connection_id = connection_id
        self._digits = digits
        self._withdraw = withdraw
        self._kind = AUDIO_KIND[codec.name]
        self._encode = codec.new_encoder()
        self._link: Link | None = None
        self._decided = asyncio.Event()
        self._over = asyncio.Event()

    async def connected(self) -> None:
        """Wait until the PBX has connected.

        Raises NoPeer when it does not within the time given to `expect()`. Cancelling: the id stays valid.
        """
        await self._decided.wait()
        if not self._begun:
            raise NoPeer("Asterisk did not connect to the AudioSocket port in time, or the call was over before")

    async def over(self) -> None:
        """Wait until the media have ended, by whomever."""
        await self._over.wait()

    async def aclose(self) -> None:
        """Close; may be called twice."""
        self.close()

    def close(self) -> None:
        """End the media and hang up, at once; the id is void. May be called twice."""
        self._withdraw(self.connection_id)
        self._end()
        self._decided.set()
        self._hang_up()

    # --- what the server does -------------------------------------------------------------------------------

    def begin(self, link: Link) -> None:
        """Start the media: the PBX has connected and shown the id."""
        self._link = link
        self._begin()
        self._decided.set()

    def give_up(self) -> None:
        """The time to connect has passed."""
        self._end()
        self._decided.set()

    def take(self, message: Message) -> None:
        """Take a message of the PBX's; after the end they are ignored."""
        if self._ended:
            return
        if message.kind == self._kind:
            self._receiver.take(message.payload, max(0, self._position_at(self._clock.now_s())))
        elif message.kind == Kind.DTMF:
            self._take_key(message.payload)
        elif message.kind == Kind.HANGUP:
            self.fail("the PBX hung up")
            self._hang_up()
        elif message.kind == Kind.ERROR:
            self.fail("the PBX reports an error")
            self._hang_up()
        elif message.kind in AUDIO_KINDS:
            self._receiver.unexpected += 1
        else:
            self._receiver.garbage += 1

    # --- inside ---------------------------------------------------------------------------------------------

    def _end(self) -> None:
        super()._end()
        self._over.set()

    def _hang_up(self) -> None:
        if self._link is not None:
            self._link.close()

    def _take_key(self, payload: bytes) -> None:
        """Report a key, if it is for us to report: a leg's keys come by the PBX's own events as well."""
        if len(payload) != 1 or payload[0] not in DIGITS:
            self._receiver.garbage += 1
        elif self._digits:
            self._events.put(DigitHeard(payload.decode(), self.position))
        else:
            self._receiver.unexpected += 1

    def _speak(self, sending: bool) -> None:
        if not sending:
            self._fell_silent()
            return
        frame = self._playout.next_frame()
        self._send(encode(self._kind, self._encode(frame.pcm)))
        self._went_out(frame, self.position)

    def _send(self, octets: bytes) -> None:
        if self._link is not None and self._link.unsent_octets < MAX_UNSENT_FRAMES * len(octets):
            self._link.send(octets)
            self._counts.sent += 1
            return
        self._counts.unsent += 1
        if self._counts.unsent == 1:
            logger.warning("the PBX does not take the audio in time")
