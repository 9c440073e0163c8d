/* Concealment of lost audio by repeating the last pitch period. */
#include "plc.h"

#include <math.h>
#include <string.h>

#include "pcm.h"

enum {
    /* Voices are between 66 and 400 Hz: periods of 2.5 to 15 ms. */
    SHORTEST_PERIOD_US = 2500,
    LONGEST_PERIOD_MS = 15,
    /* Stretch whose likeness to the one a period before is measured; not shorter than the longest period. */
    MATCH_MS = 15,
    HOLD_MS = 10,
    SILENT_MS = 60,
    BLEND_MS = 5,
};

bool pm_plc_init(pm_plc *concealer, int rate_hz, int16_t *history) {
    if (rate_hz != 8000 && rate_hz != 16000) {
        return false;
    }
    memset(concealer, 0, sizeof *concealer);
    concealer->rate_hz = rate_hz;
    concealer->history = history;
    concealer->history_samples = (int32_t)PM_PLC_HISTORY(rate_hz);
    memset(history, 0, PM_PLC_HISTORY(rate_hz) * sizeof *history);
    return true;
}

/* Keep the newest audio; ends a gap. */
static void remember(pm_plc *concealer, const int16_t *pcm, size_t n) {
    size_t whole = (size_t)concealer->history_samples;
    size_t newest = n < whole ? n : whole;
    if (n > 0) {
        memmove(concealer->history, concealer->history + newest, (whole - newest) * sizeof *pcm);
        memcpy(concealer->history + (whole - newest), pcm + (n - newest), newest * sizeof *pcm);
        concealer->period = 0;
    }
}

PM_CLONES
static int64_t product_of(const int16_t *one, const int16_t *other, int n) {
    int64_t product = 0;
    for (int i = 0; i < n; i++) {
        product += (int32_t)one[i] * other[i];
    }
    return product;
}

/* The lag, in samples, at which the newest audio is most like what came before it: the greatest cross-correlation, by the
 * size of what it is compared with. */
static int find_period(const pm_plc *concealer) {
    int longest = concealer->rate_hz * LONGEST_PERIOD_MS / 1000;
    int length = concealer->rate_hz * MATCH_MS / 1000;
    int lag = concealer->rate_hz * SHORTEST_PERIOD_US / 1000000;
    const int16_t *newest = concealer->history + (concealer->history_samples - length);
    int64_t energy = product_of(newest - lag, newest - lag, length);
    int best = longest;
    double best_likeness = 0.0;
    for (; lag <= longest; lag++) {
        const int16_t *earlier = newest - lag;
        double likeness =
            energy > 0 ? (double)product_of(newest, earlier, length) / sqrt((double)energy) : 0.0;
        if (likeness > best_likeness) {
            best_likeness = likeness;
            best = lag;
        }
        if (lag < longest) {
            energy += (int32_t)earlier[-1] * earlier[-1] - (int32_t)earlier[length - 1] * earlier[length - 1];
        }
    }
    return best;
}

/* The gap's next sample.
 *
 * The last quarter of the period is blended with the one before the period, so that its end meets its beginning without
 * a click. */
static int16_t made_up(pm_plc *concealer) {
    int offset = (int)(concealer->gap_samples % concealer->period);
    int tail = concealer->period >> 2;
    int into_tail = offset - (concealer->period - tail) + 1;
    int place = concealer->history_samples - concealer->period + offset;
    double hold = concealer->rate_hz * HOLD_MS / 1000.0;
    double silent = concealer->rate_hz * SILENT_MS / 1000.0;
    double value = concealer->history[place];
    double gain = 1.0;
    if (into_tail > 0) {
        value += (concealer->history[place - concealer->period] - value) * into_tail / (tail + 1);
    }
    if ((double)concealer->gap_samples >= hold) {
        gain = fmax(0.0, (silent - (double)concealer->gap_samples) / (silent - hold));
    }
    concealer->gap_samples++;
    return pm_saturate(gain * value);
}

void pm_plc_good(pm_plc *concealer, int16_t *pcm, size_t n) {
    if (concealer->period != 0) {
        size_t length = (size_t)(concealer->rate_hz * BLEND_MS / 1000);
        length = n < length ? n : length;
        /* Fade from what would have been made up to what has come. */
        for (size_t i = 0; i < length; i++) {
            double from = made_up(concealer);
            pcm[i] = pm_saturate(from + (pcm[i] - from) * (double)(i + 1) / (double)(length + 1));
        }
    }
    remember(concealer, pcm, n);
}

void pm_plc_lost(pm_plc *concealer, int16_t *pcm, size_t n) {
    if (concealer->period == 0 && n > 0) {
        concealer->period = find_period(concealer);
        concealer->gap_samples = 0;
    }
    for (size_t i = 0; i < n; i++) {
        pcm[i] = made_up(concealer);
    }
    concealer->lost_samples += (int64_t)n;
}
