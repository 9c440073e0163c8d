"""Attributes of the PCM ring."""

from libc.stdint cimport int16_t


cdef class PcmRing:
    cdef int16_t *_pcm
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _start
    cdef Py_ssize_t _held

    cdef void append(self, const int16_t *pcm, Py_ssize_t samples) noexcept nogil
    cdef void take(self, int16_t *pcm, Py_ssize_t samples) noexcept nogil
    cdef void drop(self, Py_ssize_t samples) noexcept nogil
