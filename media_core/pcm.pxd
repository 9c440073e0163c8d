"""Kernels on PCM (native/pcm.h says more), and what the other modules need to take and make it."""

from libc.stdint cimport int16_t, uint8_t, uint64_t


cdef extern from "native/pcm.h" nogil:
    const double PM_SILENCE_DBFS

    int16_t pm_saturate(double value)
    double pm_dbfs(double mean_square)
    uint64_t pm_sum_of_squares(const int16_t *pcm, size_t n)
    double pm_level_dbfs(const int16_t *pcm, size_t n)
    void pm_fade_out(int16_t *pcm, size_t n)
    void pm_interleave(const int16_t *left, size_t left_n, const int16_t *right, size_t right_n, int16_t *stereo)
    void pm_level_batch(const int16_t *pcm, size_t rows, size_t n, float *levels_dbfs)


cdef Py_ssize_t samples_in(bytes pcm) except -1
cdef bytes new_pcm(Py_ssize_t samples)
