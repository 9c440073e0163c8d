"""G.722: wideband (16 kHz) audio in 64 kbit/s; over RTP its clock is 8000 Hz (RFC 3551 §4.5.2)."""

from typing import final

@final
class G722Encoder:
    """Encode one stream; keeps the adaptive state between calls."""

    def __init__(self) -> None: ...
    def encode(self, pcm: bytes) -> bytes:
        """Encode 16 kHz PCM to G.722, mode 1 (64 kbit/s).

        pcm: int16 little-endian mono, an even number of samples. Returns one octet per two samples.
        Raises FrameSizeError if the samples are not whole pairs.
        """

@final
class G722Decoder:
    """Decode one stream; keeps the adaptive state between calls."""

    def __init__(self) -> None: ...
    def decode(self, payload: bytes) -> bytes:
        """Decode G.722, mode 1 (64 kbit/s), to 16 kHz PCM.

        Returns int16 little-endian mono, two samples per octet; empty for empty.
        """
