"""Attributes of a view of the caller's audio."""

from libc.stdint cimport int16_t


cdef class AudioView:
    cdef object _owner          # the memory's
    cdef const int16_t *_pcm
    cdef Py_ssize_t _samples


cdef AudioView new_view(object owner, const int16_t *pcm, Py_ssize_t samples)
