"""Tones: made for tests and prompts, and found again."""

from collections.abc import Sequence
from typing import final

def tone(frequencies_hz: Sequence[float], duration_ms: int, rate_hz: int, level_dbfs: float = -12.0) -> bytes:
    """Make a tone, or several at once in equal parts, with ramps of 5 ms.

    level_dbfs: of the whole, as `level_dbfs()` measures it between the ramps; saturates above full scale.
    Returns int16 little-endian mono.
    Raises RateError if rate_hz is not positive or a frequency is not between 0 and half of it;
    FrameSizeError if duration_ms is negative or there is no frequency.
    """

@final
class ToneDetector:
    """Tell which of a few known tones are present, block by block (Goertzel).

    Frequencies should lie 1000 / `block_ms` Hz or more apart: 50 Hz for the 20 ms preset.
    """

    def __init__(
        self, rate_hz: int, frequencies_hz: Sequence[float], *, block_ms: int = 20, min_level_dbfs: float = -45.0
    ) -> None:
        """Prepare to listen.

        Raises RateError if a frequency is not between 0 and half of rate_hz; FrameSizeError if there is no
        frequency, more than 32, or block_ms is not 5 to 1000.
        """

    @property
    def block_samples(self) -> int: ...
    def feed(self, pcm: bytes) -> list[tuple[float, ...]]:
        """Take the next audio and return, for each block completed, the tones present in it.

        A tone is present that has `min_level_dbfs` or more and a fifth of the block's energy or more.
        pcm: int16 little-endian mono, any length. How it is split makes no difference.
        Raises FrameSizeError if pcm is not whole samples.
        """
