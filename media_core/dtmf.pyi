"""Keys heard as tones in the audio, for lines that do not send them beside it."""

from collections.abc import Sequence
from typing import final

@final
class KeyEdge:
    """A key went down or up."""

    @property
    def digit(self) -> str:
        """`0`–`9`, `*`, `#`, `A`–`D`."""

    @property
    def pressed(self) -> bool:
        """True where the key went down, False where it went up."""

    @property
    def position(self) -> int:
        """Of the press's first sample, to 13 ms; also where the key went up."""

    @property
    def samples(self) -> int:
        """How long the key was down, to 13 ms; where it went down: so far."""

    @property
    def level_dbfs(self) -> float:
        """Of both tones together, where the key was found."""

@final
class DtmfDetector:
    """Find keys in one stream (ITU-T Q.23, Q.24).

    Keys of 40 ms or more with pauses of 40 ms or more are found, at frequencies up to 1.5 % off, the high tone up to
    4 dB stronger or 7 dB weaker than the low one, with noise 8 dB below them. How the audio is split makes no
    difference.
    """

    def __init__(self, rate_hz: int, *, start_position: int = 0, min_level_dbfs: float = -45.0) -> None:
        """Prepare to listen.

        start_position: position of the first sample fed. min_level_dbfs: of each of a key's two tones.
        Raises RateError if rate_hz is not 8000 or 16000.
        """

    def feed(self, pcm: bytes) -> Sequence[KeyEdge]:
        """Take the next audio and return the keys that went down or up in it, mostly none.

        A press is known 26 to 39 ms after its beginning. pcm: int16 little-endian mono, any length.
        Raises FrameSizeError if pcm is not whole samples.
        """
