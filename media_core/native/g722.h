/* G.722, mode 1: 16 kHz audio in 64 kbit/s; bit-exact. Over RTP its clock is 8000 Hz (RFC 3551 §4.5.2).
 *
 *   pm_g722_init        a fresh coder, for either direction
 *   pm_g722_encode      two samples to one octet
 *   pm_g722_decode      one octet to two samples
 *
 * A state serves one direction of one stream.
 */
#ifndef PM_G722_H
#define PM_G722_H

#include "pm.h"

/* The signals' names in ITU-T G.722 §3 and §6 stand in capitals. */
typedef struct {
    int32_t estimate;       /* S: what the predictors together expect of the next sample */
    int32_t zero_estimate;  /* SZ: the zeros' part of it */
    int32_t scale;          /* DET: quantizer scale */
    int32_t log_scale;      /* NB: the same as a logarithm */
    int32_t poles[2];       /* A1, A2 */
    int32_t rebuilt[2];     /* RLT1, RLT2: reconstructed signal, newest first */
    int32_t partial[2];     /* PLT1, PLT2: partially reconstructed signal, newest first */
    int16_t zeros[8];       /* B1..B6; the last two stay 0 */
    int16_t differences[8]; /* D1..D6: quantized differences, newest first; the last two stay 0 */
} pm_g722_band;

typedef struct {
    pm_g722_band low;
    pm_g722_band high;
    int16_t history[24]; /* of the quadrature mirror filter, oldest first */
} pm_g722;

_Static_assert(sizeof(pm_g722) <= 256, "a G.722 coder fits 256 octets");

void pm_g722_init(pm_g722 *coder);

/* pcm: 2 * octets samples. */
void pm_g722_encode(pm_g722 *coder, const int16_t *pcm, uint8_t *payload, size_t octets);

/* pcm: room for 2 * octets samples. */
void pm_g722_decode(pm_g722 *coder, const uint8_t *payload, int16_t *pcm, size_t octets);

#endif
