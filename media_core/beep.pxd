"""The detector of single tones of unknown frequency; native/tone.h says more."""

from libc.stdint cimport int16_t, int64_t


cdef extern from "native/tone.h" nogil:
    enum:
        PM_TONE_FRAME

    ctypedef enum pm_tone_kind:
        PM_TONE_BEEP
        PM_TONE_LONG
        PM_TONE_NO_SPEECH
        PM_TONE_NO_SILENCE
        PM_TONE_SIT
        PM_TONE_FAX
        PM_TONE_CADENCE

    ctypedef struct pm_tone_event:
        pm_tone_kind kind
        float frequency_hz
        float level_dbfs
        int64_t position
        int64_t samples

    ctypedef struct pm_tone:
        pass

    bint pm_tone_init(pm_tone *tone, int rate_hz, int64_t start_position)
    size_t pm_tone_feed(pm_tone *tone, const int16_t *pcm, size_t n, pm_tone_event *events, size_t room)


cdef class HeardTone:
    cdef readonly str kind
    cdef readonly double frequency_hz
    cdef readonly double level_dbfs
    cdef readonly long long position
    cdef readonly long long samples


cdef class BeepDetector:
    cdef pm_tone _tone
