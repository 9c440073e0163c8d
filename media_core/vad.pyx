# distutils: sources = media_core/native/vad.c media_core/native/noise_floor.c media_core/native/pcm.c
"""Detection of speech by energy over an adaptive noise floor; positions count samples.

For one stream by hand, with each frame from the caller; in the media engine its edges become the conversation's events.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int16_t

from media_core.pcm cimport samples_in

from media_core.errors import FrameSizeError, RateError

cdef enum:
    BLOCK_MS = 10
    MAX_DURATION_MS = 500
    # Blocks fed at once: each can bring an edge.
    PIECE_BLOCKS = 32


@cython.final
cdef class SpeechEdge:
    """The voice began or ended."""

    def __init__(self):
        raise TypeError("SpeechEdge is made by EnergyVad.feed()")

    def __repr__(self):
        return f"SpeechEdge(started={self.started}, position={self.position})"


cdef SpeechEdge new_edge(const pm_vad_edge *found):
    cdef SpeechEdge edge = SpeechEdge.__new__(SpeechEdge)
    edge.started = found.started
    edge.position = found.position
    return edge


@cython.final
cdef class EnergyVad:
    """Find speech in one stream.

    Decides every 10 ms. Speech begins after `onset_ms` of it within `onset_ms` + 40 ms and ends after
    `hangover_ms` without it. How the audio is split makes no difference.
    """

    def __cinit__(
        self,
        int rate_hz,
        *,
        long long start_position=0,
        int onset_ms=60,
        int hangover_ms=140,
        double min_level_dbfs=-43.0,
    ):
        """Prepare to listen.

        start_position: position of the first sample fed. onset_ms and hangover_ms: multiples of 10 from 10 to 500.
        min_level_dbfs: speech does not begin below this level however quiet the line is.
        Raises RateError if rate_hz is not 8000, 16000, 24000 or 48000; FrameSizeError if a duration is out of range.
        """
        cdef pm_vad_setup setup = pm_vad_defaults(rate_hz)
        for duration_ms in (onset_ms, hangover_ms):
            if not BLOCK_MS <= duration_ms <= MAX_DURATION_MS or duration_ms % BLOCK_MS:
                raise FrameSizeError(f"{duration_ms} ms is not a multiple of 10 ms from 10 to 500")
        setup.start_position = start_position
        setup.onset_ms = onset_ms
        setup.hangover_ms = hangover_ms
        setup.min_level_dbfs = min_level_dbfs
        if not pm_vad_init(&self._vad, &setup):
            raise RateError(f"speech detection at {rate_hz} Hz is not supported")

    @property
    def speaking(self):
        return self._vad.speaking

    @property
    def position(self):
        """Position of the next sample to be fed."""
        return pm_vad_position(&self._vad)

    @property
    def noise_floor_dbfs(self):
        return self._vad.noise.level_dbfs

    def feed(self, bytes pcm not None):
        """Take the next audio and return the edges found in it, mostly none.

        pcm: int16 little-endian mono, any length.
        Raises FrameSizeError if pcm is not whole samples.
        """
        cdef pm_vad_edge[PIECE_BLOCKS] found
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef const int16_t *rest = <const int16_t *>PyBytes_AS_STRING(pcm)
        cdef Py_ssize_t piece
        cdef size_t count, i
        cdef list edges = []
        while samples > 0:
            piece = min(samples, <Py_ssize_t>(PIECE_BLOCKS - 1) * self._vad.block_samples)
            count = pm_vad_feed(&self._vad, rest, piece, found, PIECE_BLOCKS)
            for i in range(count):
                edges.append(new_edge(&found[i]))
            rest += piece
            samples -= piece
        return edges
