"""The concealer; native/plc.h says more."""

from libc.stdint cimport int16_t, int64_t


cdef extern from "native/plc.h" nogil:
    ctypedef struct pm_plc:
        int period              # of the audio before the gap, in samples; 0 outside a gap
        int64_t lost_samples    # made up since the start

    size_t PM_PLC_HISTORY(int rate_hz)
    bint pm_plc_init(pm_plc *concealer, int rate_hz, int16_t *history)
    void pm_plc_good(pm_plc *concealer, int16_t *pcm, size_t n)
    void pm_plc_lost(pm_plc *concealer, int16_t *pcm, size_t n)


cdef class Concealer:
    cdef pm_plc _concealer
    cdef int16_t[480] _history      # 30 ms at 16 kHz
