/* Concealment of lost audio by repeating the last pitch period (in the manner of G.711 Appendix I).
 *
 *   PM_PLC_HISTORY, pm_plc_init     one stream
 *   pm_plc_good                     what has come; adds no delay, after a gap cross-fades 5 ms
 *   pm_plc_lost                     what has not: from 10 ms on fading, silent from 60 ms on
 */
#ifndef PM_PLC_H
#define PM_PLC_H

#include "pm.h"

/* Samples of memory that a stream takes: the longest period (15 ms) and the stretch that is compared (15 ms). */
#define PM_PLC_HISTORY(rate_hz) ((size_t)(rate_hz) * 30 / 1000)

typedef struct {
    int16_t *history; /* the newest audio, oldest first */
    int32_t history_samples;
    int32_t rate_hz;
    int32_t period;       /* of the audio before the gap, in samples; 0 outside a gap */
    int64_t gap_samples;  /* made up in this gap so far */
    int64_t lost_samples; /* made up since the start */
} pm_plc;

/* history: PM_PLC_HISTORY(rate_hz) samples. False: the rate is neither 8000 nor 16000. */
bool pm_plc_init(pm_plc *concealer, int rate_hz, int16_t *history);

/* Take the next audio received; in place: after a gap its first 5 ms are changed. */
void pm_plc_good(pm_plc *concealer, int16_t *pcm, size_t n);

/* Make up n samples. */
void pm_plc_lost(pm_plc *concealer, int16_t *pcm, size_t n);

#endif
