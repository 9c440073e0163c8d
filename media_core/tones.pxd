"""The detector of known tones; native/goertzel.h has its state and says more."""

from libc.stdint cimport int16_t, int32_t, uint32_t


cdef extern from "native/goertzel.h" nogil:
    enum:
        PM_GOERTZEL_MAX

    ctypedef struct pm_goertzel:
        int32_t block_samples
        int32_t collected

    bint pm_goertzel_init(
        pm_goertzel *bank,
        int rate_hz,
        const double *frequencies_hz,
        size_t tones,
        int block_samples,
        double min_level_dbfs,
    )
    size_t pm_goertzel_take(pm_goertzel *bank, const int16_t *pcm, size_t n)
    uint32_t pm_goertzel_end(pm_goertzel *bank)


cdef class ToneDetector:
    cdef pm_goertzel _bank
    cdef tuple _frequencies_hz

    cdef tuple end_block(self)
