"""What the peer sends becomes frames of the caller's voice, one for each beat, with gaps filled.

`RtpReceiver` (RTP) and `FrameReceiver` (connections) put into it what has come; pure, no I/O.
"""

from __future__ import annotations

from audio_fork.codecs import Codec
from media_core.concealment import Concealer
from media_core.errors import FrameSizeError
from media_core.jitter import JitterBuffer

GAP_MS = 100
"""Audio over a connection that comes later than this behind the piece before it follows a pause of the sender's."""


class CallerStream:
    """The peer's stream: put in order, decoded, gaps filled."""

    def __init__(self, codec: Codec) -> None:
        """Wait for the first piece."""
        self._codec = codec
        self._decode = codec.new_decoder()
        self._concealer = Concealer(codec.rate_hz)
        self._jitter = JitterBuffer(codec.clock_hz, codec.frame_ticks, codec.octets_per_tick)
        self.garbage = 0
        """Pieces that cannot be what they claim to be."""
        self.unexpected = 0
        """Pieces that are well formed and no audio of this codec."""

    @property
    def received(self) -> int:
        """Pieces taken so far."""
        return self._jitter.received

    @property
    def lost(self) -> int:
        """Pieces missing by their sequence."""
        return self._jitter.lost

    @property
    def late(self) -> int:
        """Pieces that came after their time had passed."""
        return self._jitter.late

    @property
    def concealed(self) -> int:
        """Frames made up while the peer was sending."""
        return self._jitter.concealed

    @property
    def discarded(self) -> int:
        """Frames given up to bring the delay down."""
        return self._jitter.discarded

    def next_frame(self) -> bytes:
        """Return the next 20 ms of the caller's voice as PCM; silence when there is none."""
        payload = self._jitter.get()
        if payload is None:
            return self._concealer.lost(self._codec.frame_samples)
        return self._concealer.good(self._decode(payload))

    def _put(self, sequence: int, ticks: int, payload: bytes, arrival: int) -> None:
        """Put one piece in its place.

        arrival: position on the session clock. Raises FrameSizeError for no whole samples, and for more than a second.
        """
        self._jitter.put(sequence, ticks, payload, arrival // self._codec.samples_per_tick)

    def _start_anew(self) -> None:
        """Forget the stream: what comes next is another one."""
        self._jitter.reset()
        self._decode = self._codec.new_decoder()


class FrameReceiver(CallerStream):
    """Audio over a connection: complete and in order, but without numbers and times of its own."""

    def __init__(self, codec: Codec) -> None:
        """Wait for the first piece."""
        super().__init__(codec)
        self._sequence = 0
        self._next_ticks = 0
        self._due: int | None = None
        """Position at which the next piece is due."""

    def take(self, payload: bytes, arrival: int) -> None:
        """Take the next piece, of any length up to a second.

        arrival: position on the session clock. What is no whole samples is counted and left out.
        """
        late = 0 if self._due is None else arrival - self._due
        if late > GAP_MS * self._codec.rate_hz // 1000:
            self._next_ticks += late // self._codec.samples_per_tick
        try:
            self._put(self._sequence, self._next_ticks, payload, arrival)
        except FrameSizeError:
            self.garbage += 1
            return
        ticks = len(payload) // self._codec.octets_per_tick
        self._sequence += 1
        self._next_ticks += ticks
        self._due = arrival + ticks * self._codec.samples_per_tick
