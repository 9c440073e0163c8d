/* G.711 µ-law and A-law, for one frame or any number of samples.
 *
 *   pm_ulaw_encode, pm_ulaw_decode     table 2 of ITU-T G.711; encoding sees 14 bits, decoding gives ±32124
 *   pm_alaw_encode, pm_alaw_decode     table 1; encoding sees 13 bits, decoding gives ±32256
 *
 * Negative samples are shifted arithmetically before they are companded, as CPython's audioop did.
 */
#ifndef PM_G711_H
#define PM_G711_H

#include "pm.h"

/* The octets of silence, for frames made up. */
#define PM_ULAW_SILENCE 0xFF
#define PM_ALAW_SILENCE 0xD5

void pm_ulaw_encode(const int16_t *pcm, uint8_t *payload, size_t n);
void pm_ulaw_decode(const uint8_t *payload, int16_t *pcm, size_t n);
void pm_alaw_encode(const int16_t *pcm, uint8_t *payload, size_t n);
void pm_alaw_decode(const uint8_t *payload, int16_t *pcm, size_t n);

#endif
