"""A piece of audio encoded once and played in any number of calls, by reference."""

from typing import final

@final
class Prompt:
    """Audio at 8 kHz as G.711 octets: half the memory of PCM, and no work to send."""

    def __init__(self, pcm: bytes, codec: str = "ulaw") -> None:
        """Encode int16 little-endian mono PCM at 8 kHz.

        codec: `ulaw` or `alaw`; in calls of the other one it is translated as it is played.
        Raises FrameSizeError if pcm is not whole samples, RateError for another codec (G.722 has a memory across
        frames, so nothing encoded once fits into every stream: play PCM).
        """

    @property
    def payload(self) -> bytes: ...
    @property
    def codec(self) -> str: ...
    @property
    def samples(self) -> int: ...
    def __len__(self) -> int: ...
