# distutils: sources = media_core/native/pcm.c
"""Small operations on PCM: int16 little-endian `bytes`, mono unless said otherwise.

Called by the other modules for their checks and by whoever handles audio in Python.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t
from libc.string cimport memcpy

from media_core.errors import FrameSizeError, RateError


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


def level_dbfs(bytes pcm not None):
    """Measure the RMS level, 0 dBFS being an RMS of 32768 (dBov of ITU-T G.100.1: a full-scale sine has -3.01).

    Returns -100.0 for digital silence and for no audio.
    Raises FrameSizeError if pcm is not whole samples.
    """
    cdef Py_ssize_t samples = samples_in(pcm)
    return pm_level_dbfs(<const int16_t *>PyBytes_AS_STRING(pcm), samples)


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
    pm_fade_out(out + (total - fade), fade)
    return faded


def interleave(bytes left not None, bytes right not None):
    """Make stereo PCM from two mono channels; the shorter one is filled up with silence.

    Raises FrameSizeError if a channel is not whole samples.
    """
    cdef Py_ssize_t left_samples = samples_in(left)
    cdef Py_ssize_t right_samples = samples_in(right)
    cdef bytes stereo = new_pcm(2 * max(left_samples, right_samples))
    pm_interleave(
        <const int16_t *>PyBytes_AS_STRING(left),
        left_samples,
        <const int16_t *>PyBytes_AS_STRING(right),
        right_samples,
        <int16_t *>PyBytes_AS_STRING(stereo),
    )
    return stereo
