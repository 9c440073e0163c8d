"""State of the two G.722 coders; the names of the standard's signals are in the comments (ITU-T G.722 §3, §6)."""

from libc.stdint cimport int16_t, uint8_t


cdef struct Band:
    int estimate        # S: what the predictors together expect of the next sample
    int zero_estimate   # SZ: the zeros' part of it
    int scale           # DET: quantizer scale
    int log_scale       # NB: the same as a logarithm
    int[3] poles        # A; index 0 unused, as in the standard
    int[3] rebuilt      # R: reconstructed signal, newest first
    int[3] partial      # P: partially reconstructed signal, newest first
    int[7] zeros        # B; index 0 unused
    int[7] differences  # D: quantized differences, newest first


cdef struct G722State:
    Band low
    Band high
    int[24] history     # of the quadrature mirror filter, oldest first


cdef class G722Encoder:
    cdef G722State _state


cdef class G722Decoder:
    cdef G722State _state


cdef void reset_g722(G722State *state) noexcept nogil
cdef void g722_encode_pairs(G722State *state, const int16_t *pcm, uint8_t *payload, Py_ssize_t pairs) noexcept nogil
cdef void g722_decode_pairs(G722State *state, const uint8_t *payload, int16_t *pcm, Py_ssize_t pairs) noexcept nogil
