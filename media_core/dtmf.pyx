# distutils: sources = media_core/native/dtmf.c media_core/native/halve.c media_core/native/pcm.c
"""Keys heard as tones in the audio, for lines that do not send them beside it.

No transport of ours needs it yet: Asterisk reports keys beside the audio.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int16_t

from media_core.pcm cimport samples_in

from media_core.errors import RateError

cdef enum:
    # Blocks fed at once: each can bring two events.
    PIECE_BLOCKS = 16


@cython.final
cdef class KeyEdge:
    """A key went down or up."""

    def __init__(self):
        raise TypeError("KeyEdge is made by DtmfDetector.feed()")

    def __repr__(self):
        return f"KeyEdge(digit={self.digit!r}, pressed={self.pressed}, position={self.position})"


cdef KeyEdge new_edge(const pm_dtmf_event *event):
    cdef KeyEdge edge = KeyEdge.__new__(KeyEdge)
    edge.digit = chr(event.digit)
    edge.pressed = event.pressed
    edge.position = event.position
    edge.samples = event.samples
    edge.level_dbfs = event.level_dbfs
    return edge


@cython.final
cdef class DtmfDetector:
    """Find keys in one stream (ITU-T Q.23, Q.24).

    Keys of 40 ms or more with pauses of 40 ms or more are found, at frequencies up to 1.5 % off, the high tone up to
    4 dB stronger or 7 dB weaker than the low one, with noise 8 dB below them. How the audio is split makes no
    difference.
    """

    def __cinit__(self, int rate_hz, *, long long start_position=0, double min_level_dbfs=-45.0):
        """Prepare to listen.

        start_position: position of the first sample fed. min_level_dbfs: of each of a key's two tones.
        Raises RateError if rate_hz is not 8000 or 16000.
        """
        if not pm_dtmf_init(&self._dtmf, rate_hz, start_position, min_level_dbfs):
            raise RateError(f"keys cannot be heard at {rate_hz} Hz; give 8000 or 16000")

    def feed(self, bytes pcm not None):
        """Take the next audio and return the keys that went down or up in it, mostly none.

        A press is known 26 to 39 ms after its beginning. pcm: int16 little-endian mono, any length.
        Raises FrameSizeError if pcm is not whole samples.
        """
        cdef pm_dtmf_event[2 * PIECE_BLOCKS + 2] found
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef const int16_t *rest = <const int16_t *>PyBytes_AS_STRING(pcm)
        cdef Py_ssize_t piece
        cdef size_t count, i
        cdef list edges = []
        while samples > 0:
            piece = min(samples, <Py_ssize_t>(PIECE_BLOCKS * PM_DTMF_BLOCK))
            count = pm_dtmf_feed(&self._dtmf, rest, piece, found, 2 * PIECE_BLOCKS + 2)
            for i in range(count):
                edges.append(new_edge(&found[i]))
            rest += piece
            samples -= piece
        return edges
