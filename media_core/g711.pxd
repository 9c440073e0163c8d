"""G.711 kernels, for one frame or any number of samples; native/g711.h says more."""

from libc.stdint cimport int16_t, uint8_t


cdef extern from "native/g711.h" nogil:
    void pm_ulaw_encode(const int16_t *pcm, uint8_t *payload, size_t n)
    void pm_ulaw_decode(const uint8_t *payload, int16_t *pcm, size_t n)
    void pm_alaw_encode(const int16_t *pcm, uint8_t *payload, size_t n)
    void pm_alaw_decode(const uint8_t *payload, int16_t *pcm, size_t n)
