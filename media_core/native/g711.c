/* G.711 by the exponents of floats.
 *
 * A segment of G.711 is an octave and has 16 steps: exactly the exponent and the first four bits of the mantissa of the
 * magnitude as a float. So companding is a conversion and a shift, expanding a shift and a conversion, without branches
 * or tables, many samples at a time.
 */
#include "g711.h"

#include <string.h>

enum {
    /* Added to a 14-bit magnitude so that each segment begins at a power of two. */
    ULAW_BIAS = 33,
    /* Greatest 14-bit magnitude that does not overflow the last segment together with the bias. */
    ULAW_CLIP = 8158,
    /* A-law inverts the even bits on the line (ITU-T G.711 §3). */
    ALAW_TOGGLE = 0x55,
    /* A-law's first segment is no octave: its 16 steps are those of the second, this much lower. */
    ALAW_FIRST = 32,
    FLOAT_BIAS = 127,
    /* Bits of a float below the four that make the step. */
    FLOAT_SHIFT = 19,
};

/* Exponent above `lowest` and step of a positive value: segment and mantissa side by side. */
PM_INLINE int32_t octave_and_step(int32_t value, int32_t lowest) {
    float number = (float)value;
    int32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return (bits >> FLOAT_SHIFT) - ((FLOAT_BIAS + lowest) << 4);
}

/* The value in the middle of a step. */
PM_INLINE int32_t middle_of_step(int32_t octave_and_step, int32_t lowest) {
    int32_t bits = ((octave_and_step + ((FLOAT_BIAS + lowest) << 4)) << FLOAT_SHIFT) | 1 << (FLOAT_SHIFT - 1);
    float number;
    memcpy(&number, &bits, sizeof number);
    return (int32_t)number;
}

/* All bits where true, none where false. */
PM_INLINE int32_t mask(bool condition) { return -(int32_t)condition; }

/* Sign, segment and step of a 14-bit sample, all inverted on the line (table 2). */
PM_INLINE uint8_t ulaw_code(int32_t sample) {
    int32_t magnitude = sample < 0 ? -sample : sample;
    magnitude = (magnitude < ULAW_CLIP ? magnitude : ULAW_CLIP) + ULAW_BIAS;
    return (uint8_t)(octave_and_step(magnitude, 5) ^ (sample < 0 ? 0x7F : 0xFF));
}

/* The same of a 13-bit sample; the negative half is mirrored at -1/2 (table 1). */
PM_INLINE uint8_t alaw_code(int32_t sample) {
    int32_t magnitude = sample ^ mask(sample < 0);
    int32_t first = mask(magnitude < ALAW_FIRST);
    int32_t code = octave_and_step(magnitude + (first & ALAW_FIRST), 4) - (first & 16);
    return (uint8_t)(code ^ (0x80 & ~mask(sample < 0)) ^ ALAW_TOGGLE);
}

/* The middle of a code's interval, scaled to 16 bits. */
PM_INLINE int16_t ulaw_sample(int32_t code) {
    int32_t sign = mask(code < 0x80);
    int32_t magnitude = 4 * (middle_of_step(~code & 0x7F, 5) - ULAW_BIAS);
    return (int16_t)((magnitude ^ sign) - sign);
}

PM_INLINE int16_t alaw_sample(int32_t code) {
    int32_t toggled = code ^ ALAW_TOGGLE;
    int32_t sign = mask(toggled < 0x80);
    int32_t first = mask((toggled & 0x7F) < 16);
    int32_t magnitude = 8 * (middle_of_step((toggled & 0x7F) + (first & 16), 4) - (first & ALAW_FIRST));
    return (int16_t)((magnitude ^ sign) - sign);
}

PM_CLONES
void pm_ulaw_encode(const int16_t *pcm, uint8_t *payload, size_t n) {
    for (size_t i = 0; i < n; i++) {
        payload[i] = ulaw_code(pcm[i] >> 2);
    }
}

PM_CLONES
void pm_alaw_encode(const int16_t *pcm, uint8_t *payload, size_t n) {
    for (size_t i = 0; i < n; i++) {
        payload[i] = alaw_code(pcm[i] >> 3);
    }
}

PM_CLONES
void pm_ulaw_decode(const uint8_t *payload, int16_t *pcm, size_t n) {
    for (size_t i = 0; i < n; i++) {
        pcm[i] = ulaw_sample(payload[i]);
    }
}

PM_CLONES
void pm_alaw_decode(const uint8_t *payload, int16_t *pcm, size_t n) {
    for (size_t i = 0; i < n; i++) {
        pcm[i] = alaw_sample(payload[i]);
    }
}
