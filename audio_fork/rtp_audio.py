"""One call's audio over RTP: what the conversation's CallAudio port asks for.

The call runner opens it, tells the PBX the local address, connects it to the address that the PBX names, and hands
it to the conversation.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

from audio_fork.caller_voice import CallerVoice
from audio_fork.clock import LATE_S, PlayoutClock
from audio_fork.codecs import Codec, codec_named
from audio_fork.errors import NotConnectable
from audio_fork.playout import PlayoutQueue
from audio_fork.recording import StereoRecorder
from audio_fork.rtp_streams import RtpReceiver, RtpSender
from audio_fork.sockets import Address, RtpSocket, Transport
from audio_fork.stats import AudioStats
from audio_fork.streams import DroppingStream
from media_core.events import AlarmReached, AudioBlock, AudioEvent, MarkReached, PeerGone, PlayoutStarted

logger = logging.getLogger(__name__)

MAX_EVENTS = 256
MAX_DATAGRAMS_PER_BEAT = 64
"""A flood of datagrams must not keep the other calls waiting."""
MAX_WAITING_DATAGRAMS = 2048
"""More than the socket's receive buffer holds."""
LISTENING_DELAY_FRAMES = 1
"""A packet waits for the next beat, and the jitter buffer may hold it for another. Counting one frame for that puts
the caller's positions 0 to 20 ms early rather than late, so that no measured reaction time is flattered."""


@dataclass(frozen=True, slots=True)
class RtpSettings:
    """How a connection behaves."""

    idle_frames: bool = True
    """Send silence while nothing is played, for trunks that drop a call without RTP."""
    peer_timeout_ms: int | None = None
    """Report PeerGone after so long without a packet. None (never) is right for Asterisk, which sends nothing
    while the caller's phone is silent or on hold, and reports the end of the leg by an event."""


DEFAULT_SETTINGS = RtpSettings()


class RtpAudio:
    """A call's audio connection on a UDP port of its own.

    Nothing is received or sent before `connect()`. All methods belong to the event loop's thread.
    """

    def __init__(
        self, codec: Codec, transport: Transport, clock: PlayoutClock, settings: RtpSettings = DEFAULT_SETTINGS
    ) -> None:
        """Take over an open transport; `open()` is the usual way."""
        self._codec = codec
        self._transport = transport
        self._clock = clock
        self._settings = settings
        self._peer: Address | None = None
        self._receiver = RtpReceiver(codec)
        self._sender = RtpSender(codec)
        self._voice = CallerVoice(codec.rate_hz)
        self._playout = PlayoutQueue(codec.rate_hz, codec.frame_samples)
        self._events: DroppingStream[AudioEvent] = DroppingStream(MAX_EVENTS)
        self._recorder: StereoRecorder | None = None
        self._early: tuple[bytes, int] | None = None
        self._beats = 0
        self._heard_at = 0
        self._alarm: int | None = None
        self._ended = False
        self._counts = _Counts()

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

        The session clock starts at 0 with the first beat, at most 20 ms later.
        Raises NotConnectable if there is a peer already, after the end, or if the host is not a numeric address.
        """
        if self._peer is not None or self._ended:
            raise NotConnectable("the connection has its peer already or was closed; open another one")
        self._peer = _numeric(peer_host, peer_port)
        self._discard_waiting()
        self._clock.add(self)

    # --- what the conversation uses -------------------------------------------------------------------------

    @property
    def rate_hz(self) -> int:
        """Rate of all PCM in and out: 16000 for g722, else 8000."""
        return self._codec.rate_hz

    @property
    def position(self) -> int:
        """Now, on the session clock; moves on by one frame with every beat."""
        return max(0, self._beats - 1) * self._codec.frame_samples

    @property
    def played_samples(self) -> int:
        """How many samples given to `play()` have gone to the PBX (idle silence not counted)."""
        return self._playout.played_samples

    def blocks(self) -> AsyncIterator[AudioBlock]:
        """Yield the caller's audio in blocks of 60 ms until the peer is gone; 180 ms behind drops the oldest."""
        return self._voice.blocks

    def events(self) -> AsyncIterator[AudioEvent]:
        """Yield events in order until PeerGone or `aclose()`."""
        return self._events

    def play(self, pcm: bytes) -> int:
        """Queue PCM and return its mark. After the end nothing is played and the mark is never reached.

        Raises BadAudio for half a sample and for more than the queue holds (300 s).
        """
        return self._playout.play(pcm)

    def clear(self) -> None:
        """Drop what is queued; at most 5 ms more of it go out, fading, and count as played."""
        self._playout.clear()

    def set_alarm(self, position: int) -> None:
        """Ask for AlarmReached at this position; replaces the alarm before; a past one comes at once."""
        self._alarm = position
        self._ring_alarm()

    def record_to(self, recorder: StereoRecorder | None) -> None:
        """Give everything said and played from the next beat on to a recorder; None stops.

        Whoever made the recorder closes it.
        """
        self._recorder = recorder

    def stats(self) -> AudioStats:
        """Return the counts since the start."""
        counts, receiver = self._counts, self._receiver
        return AudioStats(
            received=receiver.received,
            sent=counts.sent,
            unsent=counts.unsent,
            lost=receiver.lost,
            late=receiver.late,
            concealed=receiver.concealed,
            strangers=counts.strangers,
            garbage=receiver.garbage,
            unexpected=receiver.unexpected,
            late_beats=counts.late_beats,
            skipped_frames=counts.skipped_frames,
            underruns=self._playout.underruns,
            dropped_blocks=self._voice.blocks.dropped,
            dropped_events=self._events.dropped,
        )

    async def aclose(self) -> None:
        """End the media and give the port back. May be called twice."""
        self._end()
        self._transport.close()

    # --- what the clock does --------------------------------------------------------------------------------

    def beat(self, *, behind_s: float, sending: bool) -> None:
        """Let one frame time pass (see `Beating`)."""
        self._beats += 1
        self._counts.late_beats += behind_s > LATE_S
        self._receive(behind_s)
        self._listen()
        if sending:
            self._speak()
        else:
            self._fall_silent()
        self._ring_alarm()
        self._miss_peer()

    def fail(self, reason: str) -> None:
        """Report PeerGone: the clock gives no more beats."""
        self._events.put(PeerGone(reason))
        self._end()

    # --- one beat -------------------------------------------------------------------------------------------

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

    def _listen(self) -> None:
        pcm = self._receiver.next_frame()
        frames_ago = 1 + LISTENING_DELAY_FRAMES
        if self._beats <= frames_ago:  # from before the session clock's 0
            return
        if self._recorder is not None:
            self._recorder.hear_caller(self.position - frames_ago * self._codec.frame_samples, pcm)
        for event in self._voice.hear(pcm):
            self._events.put(event)

    def _speak(self) -> None:
        frame = self._playout.next_frame()
        if frame.played or self._settings.idle_frames:
            self._send(self._sender.packet(frame.pcm))
        else:
            self._sender.pause()
        if self._recorder is not None:
            self._recorder.hear_agent(self.position, frame.pcm)
        if frame.started_at is not None:
            self._events.put(PlayoutStarted(self.position + frame.started_at))
        for mark, offset in frame.marks:
            self._events.put(MarkReached(mark, self.position + offset))

    def _send(self, packet: bytes) -> None:
        if self._peer is not None and self._transport.send(packet, self._peer):
            self._counts.sent += 1
            return
        self._counts.unsent += 1
        if self._counts.unsent == 1:
            logger.warning("the system did not take an RTP packet", extra={"peer": self._peer})

    def _fall_silent(self) -> None:
        """Account for a frame that was never sent."""
        self._counts.skipped_frames += 1
        self._sender.pause()
        if self._recorder is not None:
            self._recorder.hear_agent(self.position, bytes(self._codec.frame_samples * 2))

    def _ring_alarm(self) -> None:
        if self._alarm is not None and self.position >= self._alarm:
            self._events.put(AlarmReached(self._alarm))
            self._alarm = None

    def _miss_peer(self) -> None:
        timeout_ms = self._settings.peer_timeout_ms
        if timeout_ms is not None and self.position - self._heard_at >= timeout_ms * self._codec.rate_hz // 1000:
            self.fail(f"no packet for {timeout_ms} ms")

    def _discard_waiting(self) -> None:
        """Throw away what came before there was a peer: nobody can say whose it is."""
        for _ in range(MAX_WAITING_DATAGRAMS):
            if self._transport.receive() is None:
                return

    def _end(self) -> None:
        self._ended = True
        self._clock.remove(self)
        self._voice.blocks.close()
        self._events.close()


@dataclass(slots=True)
class _Counts:
    """What the connection itself counts for `stats()`."""

    sent: int = 0
    unsent: int = 0
    strangers: int = 0
    late_beats: int = 0
    skipped_frames: int = 0


def _numeric(host: str, port: int) -> Address:
    """Return the address as the socket will report it for the peer's datagrams. Raises NotConnectable."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except OSError as err:
        raise NotConnectable(f"the PBX must name a numeric address for its audio, not {host!r}") from err
    address = found[0][4]
    return str(address[0]), int(address[1])
