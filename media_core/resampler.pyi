"""Streaming change of sampling rate by a polyphase FIR with a stated, short delay."""

from typing import final

@final
class Resampler:
    """Convert one stream between 8000, 16000, 24000 and 48000 Hz, and from 22050 to 8000 or 16000 Hz.

    Every call returns what its input is worth (20 ms in, 20 ms ± one sample out); how the input is split makes
    no difference to the output. Equal rates pass through without delay.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Raises RateError for a pair of rates that is not supported."""

    @property
    def from_hz(self) -> int: ...
    @property
    def to_hz(self) -> int: ...
    @property
    def delay_ms(self) -> float:
        """Group delay: 2 ms where the lower rate is 8000 Hz, 1 ms where it is 16000 Hz (2.2 and 1.1 from 22050 Hz)."""

    @property
    def delay_samples(self) -> float:
        """Group delay in samples at `to_hz`."""

    def process(self, pcm: bytes) -> bytes:
        """Convert the next piece of the stream.

        pcm: int16 little-endian mono at `from_hz`. Returns the same at `to_hz`, saturated.
        Raises FrameSizeError if pcm is not whole samples.
        """

    def flush(self) -> bytes:
        """Return the tail that the delay holds back, and start afresh for another stream."""
