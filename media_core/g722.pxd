"""The two G.722 coders; native/g722.h has their state and says more."""

from libc.stdint cimport int16_t, uint8_t


cdef extern from "native/g722.h" nogil:
    ctypedef struct pm_g722:
        pass

    void pm_g722_init(pm_g722 *coder)
    void pm_g722_encode(pm_g722 *coder, const int16_t *pcm, uint8_t *payload, size_t octets)
    void pm_g722_decode(pm_g722 *coder, const uint8_t *payload, int16_t *pcm, size_t octets)


cdef class G722Encoder:
    cdef pm_g722 _coder


cdef class G722Decoder:
    cdef pm_g722 _coder
