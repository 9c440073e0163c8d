/* G.722: sub-band ADPCM (ITU-T G.722 §3 to §6).
 *
 * A quadrature mirror filter splits the signal in two bands of 8 kHz; the lower one takes 6 bits per sample, the higher
 * one 2. Block names of the standard's diagrams stand at each function.
 */
#include "g722.h"

#include <string.h>

/* Table 11: quadrature mirror filter for the samples of even places; for those of odd ones it is its mirror image. */
static const int16_t QMF_EVEN[12] = {3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11};
static const int16_t QMF_ODD[12] = {-11, 53, -156, 362, -805, 3876, 951, -210, 32, 12, -11, 3};

/* Table 14: decision levels of the lower band's 60-level quantizer, positive half, from the first that is not 0. */
static const int32_t LOW_LEVELS[32] = {
    35,  72,  110, 150,  190,  233,  276,  323,  370,  422,  473,  530,  587,  650,     714,
    786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
};
/* Table 17: the lower band's reconstruction values for codes of 6 bits and of the 4 bits that drive the predictor. */
static const int16_t LOW_VALUES_6[64] = {
    -136,   -136,   -136,   -136,   -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360,  -8576,  -7856,  -7192,  -6576,  -6000,  -5456,  -4944,  -4464,  -4008,  -3576,  -3168,  -2776,
    -2400,  -2032,  -1688,  -1360,  -1040,  -728,   24808,  21904,  19008,  16704,  14984,  13512,  12280,
    11192,  10232,  9360,   8576,   7856,   7192,   6576,   6000,   5456,   4944,   4464,   4008,   3576,
    3168,   2776,   2400,   2032,   1688,   1360,   1040,   728,    432,    136,    -432,   -136,
};
static const int16_t LOW_VALUES_4[16] = {
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
};
static const int16_t HIGH_VALUES[4] = {-7408, -1616, 7408, 1616};
/* Tables 16 and 21: how much each code moves the logarithmic scale. */
static const int16_t LOW_STEPS[16] = {
    -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
};
static const int16_t HIGH_STEPS[4] = {798, -214, 798, -214};
/* Table 15: from the logarithmic to the linear scale. */
static const int16_t ANTILOG[32] = {
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
};

enum {
    LOW_SCALE_START = 32,
    HIGH_SCALE_START = 8,
    LOW_LOG_SCALE_MAX = 18432,
    HIGH_LOG_SCALE_MAX = 22528,
    LOW_ANTILOG_SHIFT = 8,
    HIGH_ANTILOG_SHIFT = 10,
    /* Decision level between the higher band's two magnitudes (table 20). */
    HIGH_LEVEL = 564,
    POLE_LIMIT = 15360,
    SECOND_POLE_MAX = 12288,
    ZEROS = 6,
    HISTORY = 24,
    LEVELS = 29,
};

PM_INLINE int32_t clamp(int32_t value, int32_t lowest, int32_t highest) {
    value = value < lowest ? lowest : value;
    return value > highest ? highest : value;
}

PM_INLINE int32_t saturate16(int32_t value) { return clamp(value, -32768, 32767); }

/* `value` where both have the same sign (0 being positive), -value where not. */
PM_INLINE int32_t with_sign_of(int32_t value, int32_t one, int32_t other) {
    int32_t differ = (one ^ other) >> 31;
    return (value ^ differ) - differ;
}

void pm_g722_init(pm_g722 *coder) {
    memset(coder, 0, sizeof *coder);
    coder->low.scale = LOW_SCALE_START;
    coder->high.scale = HIGH_SCALE_START;
}

/* Adapt the quantizer to the last code (blocks 3L, 3H: LOGSCL, SCALEL; LOGSCH, SCALEH). */
PM_INLINE void adapt_scale(pm_g722_band *band, int32_t step, int32_t log_scale_max, int32_t antilog_shift) {
    int32_t mantissa, shift;
    band->log_scale = clamp(((band->log_scale * 127) >> 7) + step, 0, log_scale_max);
    mantissa = ANTILOG[(band->log_scale >> 6) & 31];
    shift = antilog_shift - (band->log_scale >> 11);
    band->scale = (shift < 0 ? mantissa << -shift : mantissa >> shift) << 2;
}

/* Adapt the two poles, keeping them stable (blocks 4L, 4H: UPPOL2, UPPOL1). */
PM_INLINE void adapt_poles(pm_g722_band *band, int32_t partial) {
    int32_t first, second, limit;
    first = saturate16(4 * band->poles[0]);
    /* -(-32768) does not fit. */
    first = clamp(with_sign_of(-first, partial, band->partial[0]), -32768, 32767);
    second = (first >> 7) + with_sign_of(128, partial, band->partial[1]);
    second = clamp(second + ((band->poles[1] * 32512) >> 15), -SECOND_POLE_MAX, SECOND_POLE_MAX);
    first = with_sign_of(192, partial, band->partial[0]);
    limit = saturate16(POLE_LIMIT - second);
    band->poles[0] = clamp(saturate16(first + ((band->poles[0] * 32640) >> 15)), -limit, limit);
    band->poles[1] = second;
}

/* Adapt the six zeros (blocks 4L, 4H: UPZERO) and move the differences on. */
PM_INLINE void adapt_zeros(pm_g722_band *band, int32_t difference) {
    int32_t magnitude = difference == 0 ? 0 : 128;
    for (int i = 0; i < ZEROS; i++) {
        int32_t step = with_sign_of(magnitude, band->differences[i], difference);
        band->zeros[i] = (int16_t)saturate16(step + ((band->zeros[i] * 32640) >> 15));
    }
    for (int i = ZEROS - 1; i > 0; i--) {
        band->differences[i] = band->differences[i - 1];
    }
    band->differences[0] = (int16_t)difference;
}

/* Take the newest quantized difference and predict the next sample (blocks 4L, 4H). */
PM_INLINE void predict(pm_g722_band *band, int32_t difference) {
    int32_t rebuilt = saturate16(band->estimate + difference);
    int32_t partial = saturate16(band->zero_estimate + difference);
    int32_t from_poles, from_zeros = 0;
    adapt_poles(band, partial);
    adapt_zeros(band, difference);
    band->rebuilt[1] = band->rebuilt[0];
    band->rebuilt[0] = rebuilt;
    band->partial[1] = band->partial[0];
    band->partial[0] = partial;
    from_poles = saturate16(((band->poles[0] * saturate16(2 * band->rebuilt[0])) >> 15) +
                            ((band->poles[1] * saturate16(2 * band->rebuilt[1])) >> 15));
    for (int i = 0; i < ZEROS; i++) {
        from_zeros += (band->zeros[i] * saturate16(2 * band->differences[i])) >> 15;
    }
    band->zero_estimate = saturate16(from_zeros);
    band->estimate = saturate16(from_poles + band->zero_estimate);
}

/* Follow a code of the lower band; only its upper 4 bits count, so that all modes stay in step. */
PM_INLINE void take_low(pm_g722_band *band, int32_t code) {
    int32_t core = code >> 2;
    int32_t difference = (band->scale * LOW_VALUES_4[core]) >> 15;
    adapt_scale(band, LOW_STEPS[core], LOW_LOG_SCALE_MAX, LOW_ANTILOG_SHIFT);
    predict(band, difference);
}

/* Follow a code of the higher band. */
PM_INLINE void take_high(pm_g722_band *band, int32_t code) {
    int32_t difference = (band->scale * HIGH_VALUES[code]) >> 15;
    adapt_scale(band, HIGH_STEPS[code], HIGH_LOG_SCALE_MAX, HIGH_ANTILOG_SHIFT);
    predict(band, difference);
}

/* Choose the lower band's code of 6 bits (block 1L: SUBTRA, QUANTL): count the decision levels that are passed. */
PM_INLINE int32_t quantize_low(const pm_g722_band *band, int32_t sample) {
    int32_t error = saturate16(sample - band->estimate);
    int32_t magnitude = error ^ (error >> 31);
    int32_t level = 1;
    for (int i = 0; i < LEVELS; i++) {
        level += magnitude >= (LOW_LEVELS[i] * band->scale) >> 12;
    }
    if (error >= 0) {
        return 62 - level;
    }
    return level < 3 ? 64 - level : 34 - level;
}

/* Choose the higher band's code of 2 bits (block 1H: SUBTRA, QUANTH). */
PM_INLINE int32_t quantize_high(const pm_g722_band *band, int32_t sample) {
    int32_t error = saturate16(sample - band->estimate);
    int32_t magnitude = error ^ (error >> 31);
    int32_t large = magnitude >= (HIGH_LEVEL * band->scale) >> 12;
    return (error < 0 ? 1 : 3) - large;
}

/* Run both phases of the quadrature mirror filter over 24 samples, oldest first. */
PM_INLINE void filter_qmf(const int16_t *history, int32_t *even, int32_t *odd) {
    int32_t even_sum = 0, odd_sum = 0;
    for (int i = 0; i < HISTORY / 2; i++) {
        even_sum += history[2 * i] * QMF_EVEN[i];
        odd_sum += history[2 * i + 1] * QMF_ODD[i];
    }
    *even = even_sum;
    *odd = odd_sum;
}

PM_INLINE void push_history(pm_g722 *coder, int32_t first, int32_t second) {
    memmove(coder->history, coder->history + 2, (HISTORY - 2) * sizeof *coder->history);
    coder->history[HISTORY - 2] = (int16_t)first;
    coder->history[HISTORY - 1] = (int16_t)second;
}

PM_CLONES
void pm_g722_encode(pm_g722 *coder, const int16_t *pcm, uint8_t *payload, size_t octets) {
    for (size_t i = 0; i < octets; i++) {
        int32_t even, odd, low, high;
        push_history(coder, pcm[2 * i], pcm[2 * i + 1]);
        filter_qmf(coder->history, &even, &odd);
        low = quantize_low(&coder->low, (odd + even) >> 14);
        high = quantize_high(&coder->high, (odd - even) >> 14);
        take_low(&coder->low, low);
        take_high(&coder->high, high);
        payload[i] = (uint8_t)(high << 6 | low);
    }
}

PM_CLONES
void pm_g722_decode(pm_g722 *coder, const uint8_t *payload, int16_t *pcm, size_t octets) {
    for (size_t i = 0; i < octets; i++) {
        int32_t code = payload[i] & 0x3F;
        int32_t even, odd;
        int32_t low = coder->low.estimate + ((coder->low.scale * LOW_VALUES_6[code]) >> 15);
        int32_t high = coder->high.estimate + ((coder->high.scale * HIGH_VALUES[payload[i] >> 6]) >> 15);
        low = clamp(low, -16384, 16383);
        high = clamp(high, -16384, 16383);
        take_low(&coder->low, code);
        take_high(&coder->high, payload[i] >> 6);
        push_history(coder, low + high, low - high);
        filter_qmf(coder->history, &even, &odd);
        pcm[2 * i] = (int16_t)saturate16(odd >> 11);
        pcm[2 * i + 1] = (int16_t)saturate16(even >> 11);
    }
}
