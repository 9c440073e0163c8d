"""Attributes of the voice detector; the noise floor has a module of its own."""

from libc.stdint cimport int16_t, uint64_t

from media_core.noise_floor cimport NoiseFloor


cdef class SpeechEdge:
    cdef readonly bint started
    cdef readonly long long position


cdef class EnergyVad:
    cdef int _block_samples
    cdef int _onset_blocks
    cdef int _hangover_blocks
    cdef double _min_level_dbfs

    cdef long long _block_start         # position of the block being collected
    cdef int _collected                 # samples of it so far
    cdef double _energy                 # their sum of squares, after the high-pass filter
    cdef double _pole                   # of the high-pass filter
    cdef double _last_input
    cdef double _last_output

    cdef NoiseFloor _noise
    cdef uint64_t _strong               # blocks loud enough to begin speech, newest in bit 0
    cdef uint64_t _weak                 # blocks loud enough to belong to speech, newest in bit 0
    cdef long long _speech_end          # one past the last block of speech
    cdef long long _edge_position       # of the newest edge
    cdef readonly bint speaking

    cdef int take(self, const int16_t *pcm, Py_ssize_t samples, list edges) except -1
    cdef bint end_block(self) noexcept nogil
    cdef bint begins(self) noexcept nogil
    cdef bint ends(self) noexcept nogil
