"""The voice detector; native/vad.h has its state and says how it decides."""

from libc.stdint cimport int16_t, int32_t, int64_t


cdef extern from "native/vad.h" nogil:
    ctypedef struct pm_vad_setup:
        int32_t rate_hz
        int32_t onset_ms
        int32_t hangover_ms
        double min_level_dbfs
        int64_t start_position

    ctypedef struct pm_vad_edge:
        bint started
        int64_t position

    ctypedef struct pm_noise_floor:
        double level_dbfs

    ctypedef struct pm_vad:
        int32_t block_samples
        pm_noise_floor noise
        bint speaking

    pm_vad_setup pm_vad_defaults(int rate_hz)
    bint pm_vad_init(pm_vad *vad, const pm_vad_setup *setup)
    size_t pm_vad_feed(pm_vad *vad, const int16_t *pcm, size_t n, pm_vad_edge *edges, size_t room)
    int64_t pm_vad_position(const pm_vad *vad)


cdef class SpeechEdge:
    cdef readonly bint started
    cdef readonly long long position


cdef class EnergyVad:
    cdef pm_vad _vad
