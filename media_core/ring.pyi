"""Bounded queue of PCM that drops the oldest audio rather than grow late."""

from typing import final

@final
class PcmRing:
    """Hold at most `capacity_samples` of mono PCM. For one thread."""

    def __init__(self, capacity_samples: int) -> None:
        """Raises FrameSizeError if capacity_samples is less than 1."""

    @property
    def capacity_samples(self) -> int: ...
    def write(self, pcm: bytes) -> int:
        """Append audio and return how many samples were dropped, the oldest first, to make room.

        Raises FrameSizeError if pcm is not whole samples.
        """

    def read(self, samples: int) -> bytes:
        """Remove and return the oldest samples: at most `samples`, fewer when there are no more.

        Raises FrameSizeError if samples is negative.
        """

    def clear(self) -> int:
        """Drop everything and return how many samples that was."""

    def __len__(self) -> int:
        """Samples held."""
