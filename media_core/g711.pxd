"""Kernels of G.711, for one frame or any number of samples."""

from libc.stdint cimport int16_t, uint8_t

cdef void ulaw_encode_samples(const int16_t *pcm, uint8_t *payload, Py_ssize_t samples) noexcept nogil
cdef void ulaw_decode_samples(const uint8_t *payload, int16_t *pcm, Py_ssize_t samples) noexcept nogil
cdef void alaw_encode_samples(const int16_t *pcm, uint8_t *payload, Py_ssize_t samples) noexcept nogil
cdef void alaw_decode_samples(const uint8_t *payload, int16_t *pcm, Py_ssize_t samples) noexcept nogil
