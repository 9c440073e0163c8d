"""One call's audio over RTP.

The call runner opens it, tells the PBX the local address, connects it to the address that the PBX names, and hands
it to the conversation.
"""

from __future__ import annotations

from dataclasses import dataclass

from audio_fork.codecs import check_rtp_codec
from audio_fork.errors import NotConnectable
from audio_fork.paced_audio import PacedAudio
from audio_fork.rtp_engine import RtpEngine
from audio_fork.sockets import Address
from media_core.engine_events import EventKind


@dataclass(frozen=True, slots=True)
class RtpSettings:
    """How a connection behaves."""

    idle_frames: bool = True
    """Send silence while nothing is played, for trunks that drop a call without RTP."""
    peer_timeout_ms: int | None = None
    """Report PeerGone after so long without a packet. None (never) is right for Asterisk, which sends nothing
    while the caller's phone is silent or on hold, and reports the end of the leg by an event."""
    own_port: bool = False
    """A UDP port for this call alone, where one for all of them does not do: behind a NAT that gives several of the
    PBX's legs one address, say."""


DEFAULT_SETTINGS = RtpSettings()


class RtpAudio(PacedAudio):
    """A call's audio connection over RTP. Nothing is received or sent before `connect()`."""

    def __init__(self, engine: RtpEngine, codec: str, settings: RtpSettings = DEFAULT_SETTINGS) -> None:
        """Take a place on the engine and wait for `connect()`.

        codec: `ulaw`, `alaw`, `slin` or `g722`. Raises UnknownCodec, TooManyCalls, NoFreePort.
        """
        check_rtp_codec(codec)
        session = engine.admit(
            codec,
            idle_frames=settings.idle_frames,
            peer_timeout_ms=settings.peer_timeout_ms or 0,
            own_port=settings.own_port,
        )
        super().__init__(engine, session)
        self.local_address: Address = session.local_address
        """Where the PBX shall send: host and port."""
        self._rtp_engine = engine
        self._connected = False
        self._silent_at_end_ms = 0

    def connect(self, peer_host: str, peer_port: int) -> None:
        """Start the media with this peer: the only address whose packets count.

        The session clock starts at 0 with the first beat, at most 40 ms later.
        Raises NotConnectable if there is a peer already, after the end, or if the host is not a numeric address.
        """
        if self._connected or self._final is not None:
            raise NotConnectable("the connection has its peer already or was closed; open another one")
        self._rtp_engine.connect(self, (peer_host, peer_port))
        self._connected = True

    @property
    def peer_silent_ms(self) -> int:
        """How long no packet has come from the peer: normal while the caller's phone sends nothing in silence."""
        return self.session.peer_silent_ms if self._final is None else self._silent_at_end_ms

    def take(self, kind: EventKind, position: int, value: int, code: int) -> None:
        """Take an event of the engine's (see `EngineCall`)."""
        if kind == EventKind.PEER_SILENT:
            self._lose_peer(f"no packet for {value} ms")
        else:
            super().take(kind, position, value, code)

    def _end(self) -> None:
        if self._final is None:
            self._silent_at_end_ms = self.session.peer_silent_ms
        super()._end()
