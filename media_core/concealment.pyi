"""Concealment of lost audio by repeating the last pitch period (in the manner of G.711 Appendix I)."""

from typing import final

@final
class Concealer:
    """Fill the gaps of one stream; adds no delay to what is not lost."""

    def __init__(self, rate_hz: int = 8000) -> None:
        """Raises RateError if rate_hz is not 8000 or 16000."""

    def good(self, pcm: bytes) -> bytes:
        """Take the next audio received and return it; after a gap its first 5 ms are cross-faded.

        pcm: int16 little-endian mono. Returns the same number of samples.
        Raises FrameSizeError if pcm is not whole samples.
        """

    def lost(self, samples: int) -> bytes:
        """Return audio for a gap: the last pitch period repeated, from 10 ms on fading, silent from 60 ms on.

        Raises FrameSizeError if samples is negative.
        """

    @property
    def lost_samples(self) -> int:
        """Samples made up by `lost()` since the start."""
