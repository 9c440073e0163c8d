"""Attributes of the resampler and the filters that all resamplers of one pair of rates share."""

from libc.stdint cimport int16_t


cdef class PolyphaseFilter:
    cdef float *_coefficients   # [phases][taps], each phase oldest input first
    cdef int _taps              # of one phase, in input samples; a multiple of 8
    cdef int _phases            # output samples per `_step` input samples
    cdef int _step

    cdef void fill_phase(self, int phase, double ratio) noexcept nogil


cdef class Resampler:
    cdef readonly int from_hz
    cdef readonly int to_hz
    cdef PolyphaseFilter _filter
    cdef float *_input          # the last `taps` - 1 samples, and those of the call after them
    cdef Py_ssize_t _input_room
    cdef long long _phase       # next output sample, in 1/`phases` input samples from the next input sample

    cdef void start(self) noexcept nogil
    cdef int make_room(self, Py_ssize_t samples) except -1
    cdef Py_ssize_t due_samples(self, Py_ssize_t samples) noexcept nogil
    cdef void convert(self, const int16_t *pcm, Py_ssize_t samples, int16_t *out, Py_ssize_t due) noexcept nogil
    cdef bytes convert_bytes(self, bytes pcm)
