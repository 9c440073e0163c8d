"""Attributes of the concealer."""

from libc.stdint cimport int16_t


cdef class Concealer:
    cdef int _rate_hz
    cdef int16_t *_history          # the newest audio, oldest first
    cdef int _history_samples
    cdef int _period                # of the audio before the gap, in samples; 0 outside a gap
    cdef long long _gap_samples     # made up in this gap so far
    cdef readonly long long lost_samples

    cdef void remember(self, const int16_t *pcm, Py_ssize_t samples) noexcept nogil
    cdef int find_period(self) noexcept nogil
    cdef double likeness(self, int lag) noexcept nogil
    cdef int16_t made_up(self) noexcept nogil
    cdef void blend(self, int16_t *pcm, Py_ssize_t samples) noexcept nogil
