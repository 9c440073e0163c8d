"""Single tones of unknown frequency, and which of them are an answering machine's beep."""

from collections.abc import Sequence
from typing import Literal, final

@final
class HeardTone:
    """A tone that has shown what it is."""

    @property
    def kind(self) -> Literal["beep", "long", "no_speech", "no_silence", "sit", "fax", "cadence"]:
        """`beep`, or why it is none.

        It lasted longer than 1.5 s; nobody had spoken in the 15 s before it; something followed it at once; it was
        part of a special information tone, a fax's or modem's tone, or a ringing, busy or dial tone.
        """

    @property
    def frequency_hz(self) -> float: ...
    @property
    def level_dbfs(self) -> float: ...
    @property
    def position(self) -> int:
        """Of its first sample, to 20 ms."""

    @property
    def samples(self) -> int:
        """How long it lasted, to 20 ms; so far, where it still goes on."""

@final
class BeepDetector:
    """Find single tones of 60 ms or more in one stream, and tell beeps from the others.

    A beep is a tone of 350 to 2600 Hz and at most 1.5 s, after somebody has spoken, before 250 ms of silence, and no
    part of a fax, an information tone or a ringing or busy tone. How the audio is split makes no difference.
    """

    def __init__(self, rate_hz: int, *, start_position: int = 0) -> None:
        """Prepare to listen.

        start_position: position of the first sample fed. Raises RateError if rate_hz is not 8000 or 16000.
        """

    def feed(self, pcm: bytes) -> Sequence[HeardTone]:
        """Take the next audio and return the tones that have shown in it what they are, mostly none.

        That is 280 ms after a tone's end at the latest (720 ms between 400 and 480 Hz), or when it has lasted 2 s.
        pcm: int16 little-endian mono, any length. Raises FrameSizeError if pcm is not whole samples.
        """
