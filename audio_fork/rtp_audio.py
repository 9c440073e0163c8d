"""One call's audio over RTP.

The call runner opens it, tells the PBX the local address, connects it to the address that the PBX names, and hands
it to the conversation.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass

from audio_fork.call_audio import CallAudioBase
from audio_fork.clock import PlayoutClock
from audio_fork.codecs import RtpCodec, codec_named
from audio_fork.errors import NotConnectable
from audio_fork.rtp_streams import RtpReceiver, RtpSender
from audio_fork.sockets import Address, RtpSocket, Transport

logger = logging.getLogger(__name__)

MAX_DATAGRAMS_PER_BEAT = 64
"""A flood of datagrams must not keep the other calls waiting."""
MAX_WAITING_DATAGRAMS = 2048
"""More than the socket's receive buffer holds."""


@dataclass(frozen=True, slots=True)
class RtpSettings:
    """How a connection behaves."""

    idle_frames: bool = True
    """Send silence while nothing is played, for trunks that drop a call without RTP."""
    peer_timeout_ms: int | None = None
    """Report PeerGone after so long without a packet. None (never) is right for Asterisk, which sends nothing
    while the caller's phone is silent or on hold, and reports the end of the leg by an event."""


DEFAULT_SETTINGS = RtpSettings()


class RtpAudio(CallAudioBase):
    """A call's audio connection on a UDP port of its own.

    Nothing is received or sent before `connect()`.
    """

    def __init__(
        self, codec: RtpCodec, transport: Transport, clock: PlayoutClock, settings: RtpSettings = DEFAULT_SETTINGS
    ) -> None:
        """Take over an open transport; `open()` is the usual way."""
        self._receiver = RtpReceiver(codec)
        super().__init__(codec, self._receiver, clock)
        self._transport = transport
        self._settings = settings
        self._peer: Address | None = None
        self._sender = RtpSender(codec)
        self._early: tuple[bytes, int] | None = None
        self._heard_at = 0

    @classmethod
    def open(
        cls,
        codec: str,
        host: str = "127.0.0.1",
        port_range: range | None = None,
        *,
        settings: RtpSettings = DEFAULT_SETTINGS,
        clock: PlayoutClock | None = None,
    ) -> RtpAudio:
        """Bind a UDP port and wait for `connect()`.

        codec: `ulaw`, `alaw`, `slin` or `g722`. host: a numeric address of this machine. port_range: the ports to
        choose from, None for any. clock: None for the one that all calls of the running event loop share.
        Raises UnknownCodec, NoFreePort.
        """
        chosen = codec_named(codec)
        transport = RtpSocket.bind(host, port_range)
        return cls(chosen, transport, clock or PlayoutClock.of_running_loop(), settings)

    @property
    def local_address(self) -> Address:
        """Where the PBX shall send: host and port."""
        return self._transport.local_address

    def connect(self, peer_host: str, peer_port: int) -> None:
        """Start the media with this peer: the only address whose packets count.

        Raises NotConnectable if there is a peer already, after the end, or if the host is not a numeric address.
        """
        if self._peer is not None or self._ended:
            raise NotConnectable("the connection has its peer already or was closed; open another one")
        self._peer = _numeric(peer_host, peer_port)
        self._discard_waiting()
        self._begin()

    @property
    def peer_silent_ms(self) -> int:
        """How long no packet has come from the peer: normal while the caller's phone sends nothing in silence."""
        return (self.position - self._heard_at) * 1000 // self._codec.rate_hz

    async def aclose(self) -> None:
        """End the media and give the port back. May be called twice."""
        self._end()
        self._transport.close()

    # --- one beat -------------------------------------------------------------------------------------------

    def beat(self, *, behind_s: float, sending: bool) -> None:
        """Let one frame time pass (see `Beating`)."""
        super().beat(behind_s=behind_s, sending=sending)
        self._miss_peer()

    def _next_caller_frame(self, behind_s: float) -> bytes:
        self._receive(behind_s)
        return super()._next_caller_frame(behind_s)

    def _receive(self, behind_s: float) -> None:
        """Take the datagrams that came before this beat; later ones wait for the beats still to be caught up."""
        latest = self.position + self._codec.frame_samples // 2
        if self._early is not None:
            if self._early[1] > latest:
                return
            self._receiver.take(*self._early)
            self._early = None
        for _ in range(MAX_DATAGRAMS_PER_BEAT):
            datagram = self._transport.receive()
            if datagram is None:
                return
            if datagram.sender != self._peer:
                self._counts.strangers += 1
                continue
            arrival = self.position + round((behind_s - datagram.age_s) * self._codec.rate_hz)
            self._heard_at = max(self._heard_at, arrival)
            if arrival > latest:
                self._early = (datagram.octets, arrival)
                return
            self._receiver.take(datagram.octets, max(0, arrival))

    def _speak(self, sending: bool) -> None:
        if not sending:
            self._sender.pause()
            self._fell_silent()
            return
        frame = self._playout.next_frame()
        if frame.played or self._settings.idle_frames:
            self._send(self._sender.packet(frame.pcm))
        else:
            self._sender.pause()
        self._went_out(frame, self.position)

    def _send(self, packet: bytes) -> None:
        if self._peer is not None and self._transport.send(packet, self._peer):
            self._counts.sent += 1
            return
        self._counts.unsent += 1
        if self._counts.unsent == 1:
            logger.warning("the system did not take an RTP packet", extra={"peer": self._peer})

    def _miss_peer(self) -> None:
        timeout_ms = self._settings.peer_timeout_ms
        if timeout_ms is not None and self.position - self._heard_at >= timeout_ms * self._codec.rate_hz // 1000:
            self.fail(f"no packet for {timeout_ms} ms")

    def _discard_waiting(self) -> None:
        """Throw away what came before there was a peer: nobody can say whose it is."""
        for _ in range(MAX_WAITING_DATAGRAMS):
            if self._transport.receive() is None:
                return


def _numeric(host: str, port: int) -> Address:
    """Return the address as the socket will report it for the peer's datagrams. Raises NotConnectable."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except OSError as err:
        raise NotConnectable(f"the PBX must name a numeric address for its audio, not {host!r}") from err
    address = found[0][4]
    return str(address[0]), int(address[1])
