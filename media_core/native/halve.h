/* 16 kHz to 8 kHz for detectors, which look at tones below 2.7 kHz: cheap, not for ears.
 *
 *   pm_halver_init     begin as if silence had come before
 *   pm_halve           make one sample of every two
 *
 * Flat within 1.4 dB up to 2.6 kHz. What lies above 5.4 kHz comes back below 2.6 kHz, 17 dB lower and more; above 6.4 kHz
 * 32 dB lower.
 */
#ifndef PM_HALVE_H
#define PM_HALVE_H

#include "pm.h"

typedef struct {
    int16_t before[6]; /* the last samples, oldest first */
    bool odd;          /* one sample more has come than two for each made */
} pm_halver;

void pm_halver_init(pm_halver *halver);

/* out: room for n / 2 + 1 samples. Returns how many were made. */
size_t pm_halve(pm_halver *halver, const int16_t *pcm, size_t n, int16_t *out);

#endif
