"""The detector of keys heard as tones; native/dtmf.h says more."""

from libc.stdint cimport int16_t, int64_t


cdef extern from "native/dtmf.h" nogil:
    enum:
        PM_DTMF_BLOCK

    ctypedef struct pm_dtmf_event:
        char digit
        bint pressed
        int64_t position
        int64_t samples
        float level_dbfs

    ctypedef struct pm_dtmf:
        pass

    bint pm_dtmf_init(pm_dtmf *dtmf, int rate_hz, int64_t start_position, double min_level_dbfs)
    size_t pm_dtmf_feed(pm_dtmf *dtmf, const int16_t *pcm, size_t n, pm_dtmf_event *events, size_t room)


cdef class KeyEdge:
    cdef readonly str digit
    cdef readonly bint pressed
    cdef readonly long long position
    cdef readonly long long samples
    cdef readonly double level_dbfs


cdef class DtmfDetector:
    cdef pm_dtmf _dtmf
