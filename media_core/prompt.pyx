"""A piece of audio encoded once and played in any number of calls, by reference.

Made by whoever keeps sentences that many callers hear; played by `Session.play()`.
"""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE

from media_core.errors import FrameSizeError, RateError
from media_core.g711 import alaw_encode, ulaw_encode

cdef dict ENCODERS = {"ulaw": ulaw_encode, "alaw": alaw_encode}


@cython.final
cdef class Prompt:
    """Audio at 8 kHz as G.711 octets: half the memory of PCM, and no work to send."""

    def __cinit__(self, bytes pcm not None, str codec not None="ulaw"):
        """Encode int16 little-endian mono PCM at 8 kHz.

        codec: `ulaw` or `alaw`; in calls of the other one it is translated as it is played.
        Raises FrameSizeError if pcm is not whole samples, RateError for another codec (G.722 has a memory across
        frames, so nothing encoded once fits into every stream: play PCM).
        """
        encode = ENCODERS.get(codec)
        if encode is None:
            raise RateError(f"prompts are encoded as ulaw or alaw, not {codec!r}")
        if PyBytes_GET_SIZE(pcm) > 2 << 30:
            raise FrameSizeError("a prompt of more than 2^30 samples")
        self.payload = encode(pcm) if pcm else b""
        self.codec = codec
        self.samples = <int>PyBytes_GET_SIZE(self.payload)

    def __len__(self):
        return self.samples

    def __repr__(self):
        return f"Prompt({self.samples} samples, {self.codec})"
