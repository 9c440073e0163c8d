# distutils: sources = media_core/native/resample.c
"""Streaming change of sampling rate by a polyphase FIR with a stated, short delay.

Used by audio_fork where a leg's rate is not the conversation's, and by the engines for voices of 22050 Hz.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int16_t
from libc.stdlib cimport free, malloc

from media_core.pcm cimport new_pcm, samples_in

from media_core.errors import RateError

cdef enum:
    # Longer input is taken in pieces of so many samples: 20 ms at 48 kHz.
    PIECE_SAMPLES = 960

cdef dict FILTERS = {}


@cython.final
cdef class PolyphaseFilter:
    """Coefficients for one pair of rates; never changed once made."""

    def __cinit__(self, int from_hz, int to_hz):
        """The pair is supported."""
        self._coefficients = <float *>malloc(pm_filter_floats(from_hz, to_hz) * sizeof(float))
        if self._coefficients is NULL:
            raise MemoryError
        pm_filter_init(&self._filter, from_hz, to_hz, self._coefficients)

    def __dealloc__(self):
        free(self._coefficients)


cdef PolyphaseFilter filter_for(int from_hz, int to_hz):
    """Return the filter of this pair of rates, made at its first use (a few ms for 22050 Hz)."""
    key = (from_hz, to_hz)
    if key not in FILTERS:
        FILTERS[key] = PolyphaseFilter(from_hz, to_hz)
    return FILTERS[key]


@cython.final
cdef class Resampler:
    """Convert one stream between 8000, 16000, 24000 and 48000 Hz, and from 22050 to 8000 or 16000 Hz.

    Every call returns what its input is worth (20 ms in, 20 ms ± one sample out); how the input is split makes
    no difference to the output. Equal rates pass through without delay.
    """

    def __cinit__(self, int from_hz, int to_hz):
        """Raises RateError for a pair of rates that is not supported."""
        self.from_hz = from_hz
        self.to_hz = to_hz
        if from_hz == to_hz and from_hz in (8000, 16000, 24000, 48000):
            return
        if not pm_resample_supported(from_hz, to_hz):
            raise RateError(f"conversion from {from_hz} to {to_hz} Hz is not supported")
        self._filter = filter_for(from_hz, to_hz)
        self._memory = <float *>malloc(pm_resampler_floats(&self._filter._filter, PIECE_SAMPLES) * sizeof(float))
        if self._memory is NULL:
            raise MemoryError
        pm_resampler_init(&self._resampler, &self._filter._filter, self._memory, PIECE_SAMPLES)

    def __dealloc__(self):
        free(self._memory)

    @property
    def delay_ms(self):
        """Group delay: 2 ms where the lower rate is 8000 Hz, 1 ms where it is 16000 Hz (2.2 and 1.1 from 22050 Hz)."""
        return 0.0 if self._filter is None else 500.0 * self._filter._filter.taps / self.from_hz

    @property
    def delay_samples(self):
        """Group delay in samples at `to_hz`."""
        return self.delay_ms * self.to_hz / 1000.0

    def process(self, bytes pcm not None):
        """Convert the next piece of the stream.

        pcm: int16 little-endian mono at `from_hz`. Returns the same at `to_hz`, saturated.
        Raises FrameSizeError if pcm is not whole samples.
        """
        samples_in(pcm)
        return pcm if self._filter is None else self.convert_bytes(pcm)

    def flush(self):
        """Return the tail that the delay holds back, and start afresh for another stream."""
        if self._filter is None:
            return b""
        tail = self.convert_bytes(bytes(self._filter._filter.taps))
        pm_resampler_reset(&self._resampler)
        return tail

    cdef bytes convert_bytes(self, bytes pcm):
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef bytes converted = new_pcm(pm_resampler_due(&self._resampler, samples))
        self.convert(<const int16_t *>PyBytes_AS_STRING(pcm), samples, <int16_t *>PyBytes_AS_STRING(converted))
        return converted

    cdef void convert(self, const int16_t *pcm, Py_ssize_t samples, int16_t *out) noexcept nogil:
        """Convert piece by piece; there is room for what is due."""
        cdef size_t piece, due
        while samples > 0:
            piece = min(samples, <Py_ssize_t>PIECE_SAMPLES)
            due = pm_resampler_due(&self._resampler, piece)
            out += pm_resample(&self._resampler, pcm, piece, out, due)
            pcm += piece
            samples -= piece
