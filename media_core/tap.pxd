"""Attributes of a tap, and the native one (native/tap.h)."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t


cdef extern from "native/tap.h" nogil:
    ctypedef struct pm_tap_frame:
        int64_t position
        int16_t pcm[]

    ctypedef struct pm_tap:
        pass

    size_t pm_tap_memory(int frame_samples, uint32_t frames)
    pm_tap *pm_tap_init(void *memory, int frame_samples, uint32_t frames)
    uint32_t pm_tap_look(pm_tap *tap, uint32_t most)
    const pm_tap_frame *pm_tap_at(pm_tap *tap, uint32_t i)
    void pm_tap_done(pm_tap *tap, uint32_t frames)
    bint pm_tap_has_ended(pm_tap *tap)


cdef class Tap:
    cdef pm_tap *native
    cdef int _frame_samples

    cdef tuple fetch(self, uint32_t most)
    cdef bint is_done(self) noexcept
