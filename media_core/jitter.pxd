"""The playout buffer; native/jitter.h has its state and says how the delay moves."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t


cdef extern from "native/jitter.h" nogil:
    ctypedef struct pm_jitter_setup:
        int32_t rate_hz
        int32_t frame_samples
        int32_t octets_per_sample
        int32_t max_delay_ms
        int32_t capacity_samples

    ctypedef enum pm_jitter_result:
        PM_JITTER_TAKEN
        PM_JITTER_DUPLICATE
        PM_JITTER_LATE
        PM_JITTER_UNEVEN
        PM_JITTER_TOO_LONG

    ctypedef struct pm_jitter:
        bint started
        int64_t received
        int64_t late
        int64_t duplicate
        int64_t concealed
        int64_t discarded

    size_t pm_jitter_memory(const pm_jitter_setup *setup)
    bint pm_jitter_init(pm_jitter *buffer, const pm_jitter_setup *setup, void *memory, size_t memory_size)
    void pm_jitter_reset(pm_jitter *buffer)
    pm_jitter_result pm_jitter_put(
        pm_jitter *buffer, uint16_t sequence, uint32_t timestamp, const uint8_t *payload, size_t size, int64_t arrival
    )
    bint pm_jitter_get(pm_jitter *buffer, uint8_t *frame)
    int64_t pm_jitter_depth(const pm_jitter *buffer)
    int pm_jitter_target(const pm_jitter *buffer)
    int64_t pm_jitter_lost(const pm_jitter *buffer)


cdef class JitterBuffer:
    cdef pm_jitter _buffer
    cdef void *_memory
    cdef Py_ssize_t _frame_octets
