"""Attributes of the tone detector."""

from libc.stdint cimport int16_t

cdef enum:
    MAX_TONES = 32


cdef struct Goertzel:
    double coefficient  # 2 cos(2π f / rate)
    double newest       # the recursion's last two values
    double older


cdef class ToneDetector:
    cdef Goertzel[MAX_TONES] _tones
    cdef int _tone_count
    cdef tuple _frequencies_hz
    cdef int _collected         # samples of this block so far
    cdef double _energy         # their sum of squares
    cdef double _min_level_dbfs
    cdef readonly int block_samples

    cdef void take(self, double sample) noexcept nogil
    cdef tuple end_block(self)
    cdef bint present(self, const Goertzel *tone) noexcept nogil
