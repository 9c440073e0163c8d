/* 16 kHz to 8 kHz by a half-band filter of seven taps. */
#include "halve.h"

#include <string.h>

void pm_halver_init(pm_halver *halver) { memset(halver, 0, sizeof *halver); }

/* Taps -1 0 9 16 9 0 -1, over 32. */
static int16_t filtered(const int16_t *before, int16_t newest) {
    int32_t sum = 16 * before[3] + 9 * (before[2] + before[4]) - before[0] - newest;
    sum = (sum + 16) >> 5;
    sum = sum < 32767 ? sum : 32767;
    return (int16_t)(sum > -32768 ? sum : -32768);
}

size_t pm_halve(pm_halver *halver, const int16_t *pcm, size_t n, int16_t *out) {
    size_t made = 0;
    for (size_t i = 0; i < n; i++) {
        if (halver->odd) {
            out[made++] = filtered(halver->before, pcm[i]);
        }
        halver->odd = !halver->odd;
        memmove(halver->before, halver->before + 1, sizeof halver->before - sizeof *halver->before);
        halver->before[5] = pcm[i];
    }
    return made;
}
