/* Tones of known frequency, block by block. */
#include "goertzel.h"

#include <math.h>
#include <string.h>

#include "pcm.h"

static const double TWO_PI = 6.283185307179586;
/* Of a block's energy, to be called present: leakage of a strong tone into a neighbour's block stays below it. */
static const double LEAST_SHARE = 0.2;

bool pm_goertzel_init(pm_goertzel *bank, int rate_hz, const double *frequencies_hz, size_t tones, int block_samples,
                      double min_level_dbfs) {
    if (tones < 1 || tones > PM_GOERTZEL_MAX || block_samples < 1 || rate_hz <= 0) {
        return false;
    }
    memset(bank, 0, sizeof *bank);
    for (size_t i = 0; i < tones; i++) {
        if (!(frequencies_hz[i] > 0.0 && frequencies_hz[i] < rate_hz / 2.0)) {
            return false;
        }
        bank->coefficient[i] = 2.0 * cos(TWO_PI * frequencies_hz[i] / rate_hz);
    }
    bank->tones = (int32_t)tones;
    bank->block_samples = block_samples;
    bank->min_level_dbfs = min_level_dbfs;
    return true;
}

PM_CLONES
size_t pm_goertzel_take(pm_goertzel *bank, const int16_t *pcm, size_t n) {
    size_t wanted = (size_t)(bank->block_samples - bank->collected);
    n = n < wanted ? n : wanted;
    for (size_t i = 0; i < n; i++) {
        double sample = pcm[i];
        for (int tone = 0; tone < bank->tones; tone++) {
            double newest = sample + bank->coefficient[tone] * bank->newest[tone] - bank->older[tone];
            bank->older[tone] = bank->newest[tone];
            bank->newest[tone] = newest;
        }
        bank->energy += sample * sample;
    }
    bank->collected += (int32_t)n;
    return n;
}

/* Tell whether the block holds this tone. */
static bool present(const pm_goertzel *bank, int tone) {
    double newest = bank->newest[tone], older = bank->older[tone];
    double square = newest * newest + older * older - bank->coefficient[tone] * newest * older;
    /* Mean square of a sine whose spectral line has this square. */
    double mean_square = 2.0 * square / ((double)bank->block_samples * bank->block_samples);
    double share = bank->energy > 0.0 ? mean_square * bank->block_samples / bank->energy : 0.0;
    return share >= LEAST_SHARE && pm_dbfs(mean_square) >= bank->min_level_dbfs;
}

uint32_t pm_goertzel_end(pm_goertzel *bank) {
    uint32_t found = 0;
    for (int tone = 0; tone < bank->tones; tone++) {
        found |= (uint32_t)present(bank, tone) << tone;
        bank->newest[tone] = 0.0;
        bank->older[tone] = 0.0;
    }
    bank->energy = 0.0;
    bank->collected = 0;
    return found;
}
