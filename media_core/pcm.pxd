"""What the other modules need to take and make PCM."""

from libc.stdint cimport int16_t

cdef double SILENCE_DBFS

cdef Py_ssize_t samples_in(bytes pcm) except -1
cdef bytes new_pcm(Py_ssize_t samples)
cdef int16_t saturate(double value) noexcept nogil
cdef double dbfs(double mean_square) noexcept nogil
cdef double sum_of_squares(const int16_t *pcm, Py_ssize_t samples) noexcept nogil
