"""The resampler and the filters that all resamplers of one pair of rates share; native/resample.h says more."""

from libc.stdint cimport int16_t, int32_t


cdef extern from "native/resample.h" nogil:
    ctypedef struct pm_filter:
        int32_t taps

    ctypedef struct pm_resampler:
        pass

    bint pm_resample_supported(int from_hz, int to_hz)
    size_t pm_filter_floats(int from_hz, int to_hz)
    bint pm_filter_init(pm_filter *filter, int from_hz, int to_hz, float *memory)
    size_t pm_resampler_floats(const pm_filter *filter, size_t most_n)
    void pm_resampler_init(pm_resampler *resampler, const pm_filter *filter, float *memory, size_t most_n)
    void pm_resampler_reset(pm_resampler *resampler)
    size_t pm_resampler_due(const pm_resampler *resampler, size_t n)
    size_t pm_resample(pm_resampler *resampler, const int16_t *pcm, size_t n, int16_t *out, size_t room)


cdef class PolyphaseFilter:
    cdef pm_filter _filter
    cdef float *_coefficients


cdef class Resampler:
    cdef readonly int from_hz
    cdef readonly int to_hz
    cdef PolyphaseFilter _filter        # None where both rates are the same
    cdef pm_resampler _resampler
    cdef float *_memory

    cdef void convert(self, const int16_t *pcm, Py_ssize_t samples, int16_t *out) noexcept nogil
    cdef bytes convert_bytes(self, bytes pcm)
