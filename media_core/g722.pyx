"""G.722: wideband (16 kHz) audio in 64 kbit/s; over RTP its clock is 8000 Hz (RFC 3551 §4.5.2).

Called once per frame by audio_fork. Sub-band ADPCM (ITU-T G.722 §3 to §6): a quadrature mirror filter splits the
signal in two bands of 8 kHz; the lower one takes 6 bits per sample, the higher one 2. Section names of the
standard's block diagrams stand at each function.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, uint8_t
from libc.string cimport memmove, memset

from media_core.pcm cimport new_pcm, samples_in

from media_core.errors import FrameSizeError

# Table 11: quadrature mirror filter; the other half is its mirror image.
cdef int[12] QMF = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11]
# Table 14: decision levels of the lower band's 60-level quantizer, positive half.
cdef int[30] LOW_LEVELS = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650,
    714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
]
# Table 17: the lower band's reconstruction values for codes of 6 bits and of the 4 bits that drive the predictor.
cdef int[64] LOW_VALUES_6 = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704,
    -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
    -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
    -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
    24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
    10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
    1688, 1360, 1040, 728, 432, 136, -432, -136,
]
cdef int[16] LOW_VALUES_4 = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
    20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
]
cdef int[4] HIGH_VALUES = [-7408, -1616, 7408, 1616]
# Tables 16 and 21: how much each code moves the logarithmic scale.
cdef int[16] LOW_STEPS = [
    -60, 3042, 1198, 538, 334, 172, 58, -30,
    3042, 1198, 538, 334, 172, 58, -30, -60,
]
cdef int[4] HIGH_STEPS = [798, -214, 798, -214]
# Table 15: from the logarithmic to the linear scale.
cdef int[32] ANTILOG = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
]

cdef enum:
    LOW_SCALE_START = 32
    HIGH_SCALE_START = 8
    LOW_LOG_SCALE_MAX = 18432
    HIGH_LOG_SCALE_MAX = 22528
    LOW_ANTILOG_SHIFT = 8
    HIGH_ANTILOG_SHIFT = 10
    # Decision level between the higher band's two magnitudes (table 20).
    HIGH_LEVEL = 564


cdef inline int clamp(int value, int lowest, int highest) noexcept nogil:
    return lowest if value < lowest else highest if value > highest else value


cdef inline int saturate16(int value) noexcept nogil:
    return clamp(value, -32768, 32767)


cdef inline int same_sign(int one, int other) noexcept nogil:
    return (one < 0) == (other < 0)


cdef void reset_g722(G722State *state) noexcept nogil:
    memset(state, 0, sizeof(G722State))
    state.low.scale = LOW_SCALE_START
    state.high.scale = HIGH_SCALE_START


cdef void adapt_scale(Band *band, int step, int log_scale_max, int antilog_shift) noexcept nogil:
    """Adapt the quantizer to the last code (blocks 3L, 3H: LOGSCL, SCALEL; LOGSCH, SCALEH)."""
    cdef int mantissa, shift
    band.log_scale = clamp(((band.log_scale * 127) >> 7) + step, 0, log_scale_max)
    mantissa = ANTILOG[(band.log_scale >> 6) & 31]
    shift = antilog_shift - (band.log_scale >> 11)
    band.scale = (mantissa << -shift if shift < 0 else mantissa >> shift) << 2


cdef void adapt_poles(Band *band) noexcept nogil:
    """Adapt the two poles, keeping them stable (blocks 4L, 4H: UPPOL2, UPPOL1)."""
    cdef int first, second, limit
    first = saturate16(4 * band.poles[1])
    if same_sign(band.partial[0], band.partial[1]):
        first = min(-first, 32767)
    second = (first >> 7) + (128 if same_sign(band.partial[0], band.partial[2]) else -128)
    second = clamp(second + ((band.poles[2] * 32512) >> 15), -12288, 12288)
    first = 192 if same_sign(band.partial[0], band.partial[1]) else -192
    limit = saturate16(15360 - second)
    band.poles[1] = clamp(saturate16(first + ((band.poles[1] * 32640) >> 15)), -limit, limit)
    band.poles[2] = second


cdef void adapt_zeros(Band *band) noexcept nogil:
    """Adapt the six zeros (blocks 4L, 4H: UPZERO)."""
    cdef int i, step
    cdef int magnitude = 0 if band.differences[0] == 0 else 128
    for i in range(1, 7):
        step = magnitude if same_sign(band.differences[i], band.differences[0]) else -magnitude
        band.zeros[i] = saturate16(step + ((band.zeros[i] * 32640) >> 15))


cdef void predict(Band *band, int difference) noexcept nogil:
    """Take the newest quantized difference and predict the next sample (blocks 4L, 4H)."""
    cdef int i, from_poles
    cdef int from_zeros = 0
    band.differences[0] = difference
    band.rebuilt[0] = saturate16(band.estimate + difference)
    band.partial[0] = saturate16(band.zero_estimate + difference)
    adapt_poles(band)
    adapt_zeros(band)
    memmove(band.differences + 1, band.differences, 6 * sizeof(int))
    memmove(band.rebuilt + 1, band.rebuilt, 2 * sizeof(int))
    memmove(band.partial + 1, band.partial, 2 * sizeof(int))
    from_poles = saturate16(
        ((band.poles[1] * saturate16(2 * band.rebuilt[1])) >> 15)
        + ((band.poles[2] * saturate16(2 * band.rebuilt[2])) >> 15)
    )
    for i in range(1, 7):
        from_zeros += (band.zeros[i] * saturate16(2 * band.differences[i])) >> 15
    band.zero_estimate = saturate16(from_zeros)
    band.estimate = saturate16(from_poles + band.zero_estimate)


cdef void take_low(Band *band, int code) noexcept nogil:
    """Follow a code of the lower band; only its upper 4 bits count, so that all modes stay in step."""
    cdef int core = code >> 2
    cdef int difference = (band.scale * LOW_VALUES_4[core]) >> 15
    adapt_scale(band, LOW_STEPS[core], LOW_LOG_SCALE_MAX, LOW_ANTILOG_SHIFT)
    predict(band, difference)


cdef void take_high(Band *band, int code) noexcept nogil:
    """Follow a code of the higher band."""
    cdef int difference = (band.scale * HIGH_VALUES[code]) >> 15
    adapt_scale(band, HIGH_STEPS[code], HIGH_LOG_SCALE_MAX, HIGH_ANTILOG_SHIFT)
    predict(band, difference)


cdef int quantize_low(const Band *band, int sample) noexcept nogil:
    """Choose the lower band's code of 6 bits (block 1L: SUBTRA, QUANTL)."""
    cdef int error = saturate16(sample - band.estimate)
    cdef int magnitude = -(error + 1) if error < 0 else error
    cdef int level = 1
    while level < 30 and magnitude >= (LOW_LEVELS[level] * band.scale) >> 12:
        level += 1
    if error >= 0:
        return 62 - level
    return 64 - level if level < 3 else 34 - level


cdef int quantize_high(const Band *band, int sample) noexcept nogil:
    """Choose the higher band's code of 2 bits (block 1H: SUBTRA, QUANTH)."""
    cdef int error = saturate16(sample - band.estimate)
    cdef int magnitude = -(error + 1) if error < 0 else error
    cdef bint large = magnitude >= (HIGH_LEVEL * band.scale) >> 12
    if error < 0:
        return 0 if large else 1
    return 2 if large else 3


cdef void filter_qmf(const int *history, int *even, int *odd) noexcept nogil:
    """Run both phases of the quadrature mirror filter over the 24 samples of history."""
    cdef int i
    even[0] = 0
    odd[0] = 0
    for i in range(12):
        even[0] += history[2 * i] * QMF[i]
        odd[0] += history[2 * i + 1] * QMF[11 - i]


cdef void g722_encode_pairs(G722State *state, const int16_t *pcm, uint8_t *payload, Py_ssize_t pairs) noexcept nogil:
    cdef Py_ssize_t i
    cdef int even, odd, low, high
    for i in range(pairs):
        memmove(state.history, state.history + 2, 22 * sizeof(int))
        state.history[22] = pcm[2 * i]
        state.history[23] = pcm[2 * i + 1]
        filter_qmf(state.history, &even, &odd)
        low = quantize_low(&state.low, (odd + even) >> 14)
        high = quantize_high(&state.high, (odd - even) >> 14)
        take_low(&state.low, low)
        take_high(&state.high, high)
        payload[i] = <uint8_t>((high << 6) | low)


cdef void g722_decode_pairs(G722State *state, const uint8_t *payload, int16_t *pcm, Py_ssize_t pairs) noexcept nogil:
    cdef Py_ssize_t i
    cdef int even, odd, low, high, code
    for i in range(pairs):
        code = payload[i] & 0x3F
        low = state.low.estimate + ((state.low.scale * LOW_VALUES_6[code]) >> 15)
        low = clamp(low, -16384, 16383)
        take_low(&state.low, code)
        code = payload[i] >> 6
        high = state.high.estimate + ((state.high.scale * HIGH_VALUES[code]) >> 15)
        high = clamp(high, -16384, 16383)
        take_high(&state.high, code)
        memmove(state.history, state.history + 2, 22 * sizeof(int))
        state.history[22] = low + high
        state.history[23] = low - high
        filter_qmf(state.history, &even, &odd)
        pcm[2 * i] = <int16_t>saturate16(odd >> 11)
        pcm[2 * i + 1] = <int16_t>saturate16(even >> 11)


@cython.final
cdef class G722Encoder:
    """Encode one stream; keeps the adaptive state between calls."""

    def __cinit__(self):
        reset_g722(&self._state)

    def encode(self, bytes pcm not None):
        """Encode 16 kHz PCM to G.722, mode 1 (64 kbit/s).

        pcm: int16 little-endian mono, an even number of samples. Returns one octet per two samples.
        Raises FrameSizeError if the samples are not whole pairs.
        """
        cdef Py_ssize_t samples = samples_in(pcm)
        if samples & 1:
            raise FrameSizeError(f"{samples} samples are no whole pairs")
        cdef bytes payload = PyBytes_FromStringAndSize(NULL, samples >> 1)
        g722_encode_pairs(
            &self._state,
            <const int16_t *>PyBytes_AS_STRING(pcm),
            <uint8_t *>PyBytes_AS_STRING(payload),
            samples >> 1,
        )
        return payload


@cython.final
cdef class G722Decoder:
    """Decode one stream; keeps the adaptive state between calls."""

    def __cinit__(self):
        reset_g722(&self._state)

    def decode(self, bytes payload not None):
        """Decode G.722, mode 1 (64 kbit/s), to 16 kHz PCM.

        Returns int16 little-endian mono, two samples per octet; empty for empty.
        """
        cdef Py_ssize_t octets = PyBytes_GET_SIZE(payload)
        cdef bytes pcm = new_pcm(2 * octets)
        g722_decode_pairs(
            &self._state,
            <const uint8_t *>PyBytes_AS_STRING(payload),
            <int16_t *>PyBytes_AS_STRING(pcm),
            octets,
        )
        return pcm
