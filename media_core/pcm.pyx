"""Small operations on PCM: int16 little-endian `bytes`, mono unless said otherwise.

Called by the other modules for their checks and by whoever handles audio in Python.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport log10, lrint
from libc.stdint cimport int16_t
from libc.string cimport memcpy, memset

from media_core.errors import FrameSizeError, RateError

cdef double SILENCE_DBFS = -100.0
cdef double FULL_SCALE_SQUARE = 32768.0 * 32768.0


cdef Py_ssize_t samples_in(bytes pcm) except -1:
    """Count the samples; None is refused as bytes of the wrong type are."""
    if pcm is None:
        raise TypeError("pcm must be bytes, not None")
    cdef Py_ssize_t octets = PyBytes_GET_SIZE(pcm)
    if octets & 1:
        raise FrameSizeError(f"{octets} octets are no whole int16 samples")
    return octets >> 1


cdef bytes new_pcm(Py_ssize_t samples):
    """Make bytes for so many samples, to be filled before anyone else sees them."""
    return PyBytes_FromStringAndSize(NULL, samples * 2)


cdef int16_t saturate(double value) noexcept nogil:
    """Round to the nearest int16."""
    if value >= 32767.0:
        return 32767
    if value <= -32768.0:
        return -32768
    return <int16_t>lrint(value)


cdef double dbfs(double mean_square) noexcept nogil:
    """Express a mean square in dB below that of a full-scale square wave, SILENCE_DBFS at least."""
    cdef double level
    if mean_square <= 0.0:
        return SILENCE_DBFS
    level = 10.0 * log10(mean_square / FULL_SCALE_SQUARE)
    return level if level > SILENCE_DBFS else SILENCE_DBFS


cdef double sum_of_squares(const int16_t *pcm, Py_ssize_t samples) noexcept nogil:
    """Sum exactly: below 2**53 for any audio shorter than two minutes at 48 kHz."""
    cdef Py_ssize_t i
    cdef long long total = 0
    for i in range(samples):
        total += <int>pcm[i] * <int>pcm[i]
    return <double>total


def level_dbfs(bytes pcm not None):
    """Measure the RMS level, 0 dBFS being an RMS of 32768 (dBov of ITU-T G.100.1: a full-scale sine has -3.01).

    Returns -100.0 for digital silence and for no audio.
    Raises FrameSizeError if pcm is not whole samples.
    """
    cdef Py_ssize_t samples = samples_in(pcm)
    if samples == 0:
        return SILENCE_DBFS
    return dbfs(sum_of_squares(<const int16_t *>PyBytes_AS_STRING(pcm), samples) / samples)


def silence(int duration_ms, int rate_hz):
    """Make digital silence.

    Raises FrameSizeError if duration_ms is negative, RateError if rate_hz is not positive.
    """
    if duration_ms < 0:
        raise FrameSizeError(f"duration of {duration_ms} ms is negative")
    if rate_hz <= 0:
        raise RateError(f"rate of {rate_hz} Hz is not positive")
    return bytes(2 * (<long long>duration_ms * rate_hz // 1000))


def fade_out(bytes pcm not None, Py_ssize_t samples):
    """Return the audio with its last `samples` samples (or all, when shorter) faded down to silence.

    Raises FrameSizeError if pcm is not whole samples or samples is negative.
    """
    cdef Py_ssize_t total = samples_in(pcm)
    if samples < 0:
        raise FrameSizeError(f"cannot fade {samples} samples")
    cdef Py_ssize_t fade = min(samples, total)
    cdef bytes faded = new_pcm(total)
    cdef int16_t *out = <int16_t *>PyBytes_AS_STRING(faded)
    memcpy(out, PyBytes_AS_STRING(pcm), total * 2)
    fade_down(out + (total - fade), fade)
    return faded


cdef void fade_down(int16_t *pcm, Py_ssize_t samples) noexcept nogil:
    """Ramp linearly, the last sample being silent."""
    cdef Py_ssize_t i
    for i in range(samples):
        pcm[i] = saturate(pcm[i] * (<double>(samples - 1 - i) / samples))


def interleave(bytes left not None, bytes right not None):
    """Make stereo PCM from two mono channels; the shorter one is filled up with silence.

    Raises FrameSizeError if a channel is not whole samples.
    """
    cdef Py_ssize_t left_samples = samples_in(left)
    cdef Py_ssize_t right_samples = samples_in(right)
    cdef Py_ssize_t samples = max(left_samples, right_samples)
    cdef bytes stereo = new_pcm(2 * samples)
    cdef int16_t *out = <int16_t *>PyBytes_AS_STRING(stereo)
    memset(out, 0, 4 * samples)
    place(out, <const int16_t *>PyBytes_AS_STRING(left), left_samples)
    place(out + 1, <const int16_t *>PyBytes_AS_STRING(right), right_samples)
    return stereo


cdef void place(int16_t *channel, const int16_t *pcm, Py_ssize_t samples) noexcept nogil:
    """Write one channel of stereo audio."""
    cdef Py_ssize_t i
    for i in range(samples):
        channel[2 * i] = pcm[i]
