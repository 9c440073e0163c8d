"""Streaming change of sampling rate by a polyphase FIR with a stated, short delay.

Used by audio_fork where a leg's rate is not the conversation's, and by the engines for voices of 22050 Hz.

One linear-phase low-pass filter (sinc under a Kaiser window, 32 samples of the lower rate long) runs at the least
common multiple of both rates; only the taps that meet an input sample are computed.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.math cimport M_PI, ceil, lrintf, sin, sqrt
from libc.stdint cimport int16_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove, memset

from math import gcd

from media_core.pcm cimport new_pcm, samples_in

from media_core.errors import RateError

cdef enum:
    # Length of the filter in samples of the lower rate: delay is half of it.
    LENGTH = 32
    # Lanes of the inner loop: sums that do not wait for one another.
    LANES = 8

# Kaiser's beta: stop band below -80 dB.
cdef double BETA = 8.0
# Cut-off in half the lower rate: at 8000 Hz, 3.4 kHz passes (-0.3 dB) and its image at 4.6 kHz does not (-80 dB).
cdef double CUT_OFF = 0.96

cdef frozenset PAIRS = frozenset(
    (from_hz, to_hz) for from_hz in (8000, 16000, 24000, 48000) for to_hz in (8000, 16000, 24000, 48000)
) | {(22050, 8000), (22050, 16000)}

cdef dict FILTERS = {}


cdef double bessel_i0(double x) noexcept nogil:
    """Modified Bessel function of the first kind, order 0, by its power series."""
    cdef double term = 1.0
    cdef double total = 1.0
    cdef int k = 1
    while term > 1e-12 * total:
        term *= (x / (2 * k)) * (x / (2 * k))
        total += term
        k += 1
    return total


cdef double windowed_sinc(double t, double half_length) noexcept nogil:
    """Impulse response at t, unscaled; t and half_length in samples of the lower rate."""
    cdef double edge = 1.0 - (t / half_length) * (t / half_length)
    cdef double angle = M_PI * CUT_OFF * t
    cdef double sinc = sin(angle) / angle if t != 0.0 else 1.0
    # Exactly at the edge one end would have no partner at the other: 0 keeps the phase linear.
    return sinc * bessel_i0(BETA * sqrt(edge)) if edge > 0.0 else 0.0


@cython.final
cdef class PolyphaseFilter:
    """Coefficients for one pair of rates; never changed once made."""

    def __cinit__(self, int from_hz, int to_hz):
        cdef int divisor = gcd(from_hz, to_hz)
        cdef double ratio = max(1.0, <double>from_hz / to_hz)
        self._phases = to_hz // divisor
        self._step = from_hz // divisor
        self._taps = LANES * <int>ceil(LENGTH * ratio / LANES)
        self._coefficients = <float *>malloc(<size_t>self._phases * self._taps * sizeof(float))
        if self._coefficients is NULL:
            raise MemoryError
        for phase in range(self._phases):
            self.fill_phase(phase, ratio)

    def __dealloc__(self):
        free(self._coefficients)

    cdef void fill_phase(self, int phase, double ratio) noexcept nogil:
        """Sample the impulse response where the input samples lie, with a gain of exactly 1 at 0 Hz."""
        cdef float *row = self._coefficients + <Py_ssize_t>phase * self._taps
        cdef double half = self._taps / 2.0
        cdef double total = 0.0
        cdef int k
        for k in range(self._taps):
            row[k] = <float>windowed_sinc((k - (half - 1.0) - <double>phase / self._phases) / ratio, half / ratio)
            total += row[k]
        for k in range(self._taps):
            row[k] = <float>(row[k] / total)


cdef PolyphaseFilter filter_for(int from_hz, int to_hz):
    """Return the filter of this pair of rates, made at its first use (a few ms for 22050 Hz)."""
    key = (from_hz, to_hz)
    if key not in FILTERS:
        FILTERS[key] = PolyphaseFilter(from_hz, to_hz)
    return FILTERS[key]


cdef int16_t dot(const float *samples, const float *coefficients, int taps) noexcept nogil:
    """Multiply and add, in an order that does not depend on how the stream is split; saturate."""
    cdef float[LANES] sums
    cdef float total
    cdef int block, lane
    for lane in range(LANES):
        sums[lane] = 0.0
    for block in range(taps // LANES):
        for lane in range(LANES):
            sums[lane] += samples[lane] * coefficients[lane]
        samples += LANES
        coefficients += LANES
    total = ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
    if total >= 32767.0:
        return 32767
    if total <= -32768.0:
        return -32768
    return <int16_t>lrintf(total)


@cython.final
cdef class Resampler:
    """Convert one stream between 8000, 16000, 24000 and 48000 Hz, and from 22050 to 8000 or 16000 Hz.

    Every call returns what its input is worth (20 ms in, 20 ms ± one sample out); how the input is split makes
    no difference to the output. Equal rates pass through without delay.
    """

    def __cinit__(self, int from_hz, int to_hz):
        """Raises RateError for a pair of rates that is not supported."""
        if (from_hz, to_hz) not in PAIRS:
            raise RateError(f"conversion from {from_hz} to {to_hz} Hz is not supported")
        self.from_hz = from_hz
        self.to_hz = to_hz
        if from_hz != to_hz:
            self._filter = filter_for(from_hz, to_hz)
            self.make_room(from_hz // 50)
            self.start()

    def __dealloc__(self):
        free(self._input)

    @property
    def delay_ms(self):
        """Group delay: 2 ms where the lower rate is 8000 Hz, 1 ms where it is 16000 Hz (2.2 and 1.1 from 22050 Hz)."""
        return 0.0 if self._filter is None else 500.0 * self._filter._taps / self.from_hz

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
        tail = self.convert_bytes(bytes(self._filter._taps))
        self.start()
        return tail

    cdef void start(self) noexcept nogil:
        """Begin as if silence had come before."""
        memset(self._input, 0, (self._filter._taps - 1) * sizeof(float))
        self._phase = 0

    cdef int make_room(self, Py_ssize_t samples) except -1:
        """Let the input take so many samples behind its history."""
        cdef Py_ssize_t room = self._filter._taps - 1 + samples
        cdef float *grown
        if room > self._input_room:
            grown = <float *>realloc(self._input, <size_t>room * sizeof(float))
            if grown is NULL:
                raise MemoryError
            self._input = grown
            self._input_room = room
        return 0

    cdef Py_ssize_t due_samples(self, Py_ssize_t samples) noexcept nogil:
        """Count the output samples that so many more input samples make possible."""
        cdef long long span = <long long>samples * self._filter._phases - self._phase
        return <Py_ssize_t>((span + self._filter._step - 1) // self._filter._step) if span > 0 else 0

    cdef bytes convert_bytes(self, bytes pcm):
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef Py_ssize_t due = self.due_samples(samples)
        cdef bytes converted = new_pcm(due)
        self.make_room(samples)
        self.convert(
            <const int16_t *>PyBytes_AS_STRING(pcm), samples, <int16_t *>PyBytes_AS_STRING(converted), due
        )
        return converted

    cdef void convert(self, const int16_t *pcm, Py_ssize_t samples, int16_t *out, Py_ssize_t due) noexcept nogil:
        """Take so many input samples and make the `due` output samples; there is room for both."""
        cdef int taps = self._filter._taps
        cdef int phases = self._filter._phases
        cdef int step = self._filter._step
        cdef Py_ssize_t newest = self._phase // phases
        cdef int phase = <int>(self._phase % phases)
        cdef Py_ssize_t i
        for i in range(samples):
            self._input[taps - 1 + i] = pcm[i]
        for i in range(due):
            out[i] = dot(self._input + newest, self._filter._coefficients + <Py_ssize_t>phase * taps, taps)
            phase += step
            newest += phase // phases
            phase %= phases
        memmove(self._input, self._input + samples, (taps - 1) * sizeof(float))
        self._phase = <long long>(newest - samples) * phases + phase
