"""What comes over a connection becomes frames of the caller's voice, one for each beat, with gaps filled.

AudioSocket and WebSocket put into it what has come; pure, no I/O. RTP has the media engine for this.
"""

from __future__ import annotations

from audio_fork.codecs import Codec
from media_core.concealment import Concealer
from media_core.errors import FrameSizeError
from media_core.jitter import JitterBuffer

GAP_MS = 100
"""Audio over a connection that comes later than this behind the piece before it follows a pause of the sender's."""


class FrameReceiver:
    """Audio over a connection: complete and in order, but without numbers and times of its own."""

    def __init__(self, codec: Codec) -> None:
        """Wait for the first piece."""
        self._codec = codec
        self._decode = codec.new_decoder()
        self._concealer = Concealer(codec.rate_hz)
        self._jitter = JitterBuffer(codec.rate_hz, codec.frame_samples, codec.octets_per_sample)
        self._sequence = 0
        self._next_timestamp = 0
        self._due: int | None = None
        """Position at which the next piece is due."""
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

    def take(self, payload: bytes, arrival: int) -> None:
        """Take the next piece, of any length up to a second.

        arrival: position on the session clock. What is no whole samples is counted and left out.
        """
        late = 0 if self._due is None else arrival - self._due
        if late > GAP_MS * self._codec.rate_hz // 1000:
            self._next_timestamp += late
        try:
            self._jitter.put(self._sequence, self._next_timestamp, payload, arrival)
        except FrameSizeError:
            self.garbage += 1
            return
        samples = len(payload) // self._codec.octets_per_sample
        self._sequence += 1
        self._next_timestamp += samples
        self._due = arrival + samples
