"""Detection of speech by energy over an adaptive noise floor; positions count samples."""

from collections.abc import Sequence
from typing import final

@final
class SpeechEdge:
    """The voice began or ended."""

    @property
    def started(self) -> bool:
        """True where speech began, False where it ended."""

    @property
    def position(self) -> int:
        """Began: its first sample. Ended: one past its last sample. Earlier than the moment of detection."""

@final
class EnergyVad:
    """Find speech in one stream.

    Decides every 10 ms. Speech begins after `onset_ms` of it within `onset_ms` + 40 ms and ends after
    `hangover_ms` without it. How the audio is split makes no difference.
    """

    def __init__(
        self,
        rate_hz: int,
        *,
        start_position: int = 0,
        onset_ms: int = 60,
        hangover_ms: int = 140,
        min_level_dbfs: float = -43.0,
    ) -> None:
        """Prepare to listen.

        start_position: position of the first sample fed. onset_ms and hangover_ms: multiples of 10 from 10 to 500.
        min_level_dbfs: speech does not begin below this level however quiet the line is.
        Raises RateError if rate_hz is not 8000, 16000, 24000 or 48000; FrameSizeError if a duration is out of range.
        """

    def feed(self, pcm: bytes) -> Sequence[SpeechEdge]:
        """Take the next audio and return the edges found in it, mostly none.

        pcm: int16 little-endian mono, any length.
        Raises FrameSizeError if pcm is not whole samples.
        """

    @property
    def speaking(self) -> bool: ...
    @property
    def position(self) -> int:
        """Position of the next sample to be fed."""

    @property
    def noise_floor_dbfs(self) -> float: ...
