# distutils: sources = media_core/native/goertzel.c media_core/native/pcm.c
"""Tones: made for tests and prompts, and found again.

Used to beep at a caller, and by tests to prove who hears whom.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.math cimport M_PI, pow, sin, sqrt
from libc.stdint cimport int16_t

from media_core.pcm cimport new_pcm, pm_saturate, samples_in

from media_core.errors import FrameSizeError, RateError

cdef enum:
    RAMP_MS = 5


cdef tuple checked_frequencies(frequencies_hz, int rate_hz):
    """Return the frequencies as floats, all of them below half the rate."""
    if rate_hz <= 0:
        raise RateError(f"rate of {rate_hz} Hz is not positive")
    cdef tuple checked = tuple(float(frequency_hz) for frequency_hz in frequencies_hz)
    if not checked:
        raise FrameSizeError("a tone needs a frequency")
    for frequency_hz in checked:
        if not 0.0 < frequency_hz < rate_hz / 2.0:
            raise RateError(f"{frequency_hz} Hz is not between 0 and half of {rate_hz} Hz")
    return checked


def tone(frequencies_hz, int duration_ms, int rate_hz, double level_dbfs=-12.0):
    """Make a tone, or several at once in equal parts, with ramps of 5 ms.

    level_dbfs: of the whole, as `level_dbfs()` measures it between the ramps; saturates above full scale.
    Returns int16 little-endian mono.
    Raises RateError if rate_hz is not positive or a frequency is not between 0 and half of it;
    FrameSizeError if duration_ms is negative or there is no frequency.
    """
    cdef tuple frequencies = checked_frequencies(frequencies_hz, rate_hz)
    if duration_ms < 0:
        raise FrameSizeError(f"duration of {duration_ms} ms is negative")
    cdef Py_ssize_t samples = <long long>duration_ms * rate_hz // 1000
    cdef Py_ssize_t ramp = min(RAMP_MS * rate_hz // 1000, samples // 2)
    cdef double amplitude = 32768.0 * pow(10.0, level_dbfs / 20.0) * sqrt(2.0 / len(frequencies))
    cdef bytes pcm = new_pcm(samples)
    cdef int16_t *out = <int16_t *>PyBytes_AS_STRING(pcm)
    cdef double value, step
    cdef Py_ssize_t i
    for i in range(samples):
        value = 0.0
        for step in frequencies:
            value += sin(2.0 * M_PI * step * i / rate_hz)
        out[i] = pm_saturate(amplitude * ramp_gain(i, samples, ramp) * value)
    return pcm


cdef double ramp_gain(Py_ssize_t i, Py_ssize_t samples, Py_ssize_t ramp) noexcept nogil:
    """Rise over the first `ramp` samples, fall over the last."""
    cdef Py_ssize_t to_edge = min(i, samples - 1 - i)
    return <double>to_edge / ramp if to_edge < ramp else 1.0


@cython.final
cdef class ToneDetector:
    """Tell which of a few known tones are present, block by block (Goertzel).

    Frequencies should lie 1000 / `block_ms` Hz or more apart: 50 Hz for the 20 ms preset.
    """

    def __cinit__(self, int rate_hz, frequencies_hz, *, int block_ms=20, double min_level_dbfs=-45.0):
        """Prepare to listen.

        Raises RateError if a frequency is not between 0 and half of rate_hz; FrameSizeError if there is no
        frequency, more than 32, or block_ms is not 5 to 1000.
        """
        cdef double[PM_GOERTZEL_MAX] frequencies
        cdef int block_samples
        self._frequencies_hz = checked_frequencies(frequencies_hz, rate_hz)
        if len(self._frequencies_hz) > PM_GOERTZEL_MAX:
            raise FrameSizeError(f"{len(self._frequencies_hz)} frequencies are more than {PM_GOERTZEL_MAX}")
        if not 5 <= block_ms <= 1000:
            raise FrameSizeError(f"a block of {block_ms} ms is not 5 to 1000")
        for i, frequency_hz in enumerate(self._frequencies_hz):
            frequencies[i] = frequency_hz
        block_samples = max(block_ms * rate_hz // 1000, 1)
        pm_goertzel_init(
            &self._bank, rate_hz, frequencies, len(self._frequencies_hz), block_samples, min_level_dbfs
        )

    @property
    def block_samples(self):
        return self._bank.block_samples

    def feed(self, bytes pcm not None):
        """Take the next audio and return, for each block completed, the tones present in it.

        A tone is present that has `min_level_dbfs` or more and a fifth of the block's energy or more.
        pcm: int16 little-endian mono, any length. How it is split makes no difference.
        Raises FrameSizeError if pcm is not whole samples.
        """
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef const int16_t *rest = <const int16_t *>PyBytes_AS_STRING(pcm)
        cdef Py_ssize_t taken
        cdef list blocks = []
        while samples > 0:
            taken = pm_goertzel_take(&self._bank, rest, samples)
            rest += taken
            samples -= taken
            if self._bank.collected == self._bank.block_samples:
                blocks.append(self.end_block())
        return blocks

    cdef tuple end_block(self):
        """Return the tones of the block just completed and begin the next."""
        cdef uint32_t found = pm_goertzel_end(&self._bank)
        cdef list present = []
        cdef int i
        for i in range(len(self._frequencies_hz)):
            if found >> i & 1:
                present.append(self._frequencies_hz[i])
        return tuple(present)
